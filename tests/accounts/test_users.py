"""Adding and removing users, transferring what they own, and sharing datasets."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.databases import postgresql_in_soak
from vecaf.accounts import passwords
from vecaf.accounts.sharing import share, shared_with, unshare
from vecaf.accounts.users import (
    add_user,
    list_users,
    remove_user,
    set_password,
    transfer_all,
    user_named,
)
from vecaf.config import RunConfig
from vecaf.datasets.edits import edit
from vecaf.engine.queue import submit_run, submit_task
from vecaf.errors import InputError, NotAllowedError, NotFoundError
from vecaf.store import (
    QUEUED,
    Dataset,
    Import,
    Run,
    Sample,
    Store,
    Subset,
    Task,
    User,
    changeable,
    dataset_named,
    visible,
    visible_sample,
)
from vecaf.store.datasets import dataset_summaries
from vecaf.store.models import now
from vecaf.store.runs import list_runs
from vecaf.store.subsets import delete_subset

pytestmark = postgresql_in_soak
PASSWORD = "a password of many words"


@pytest.fixture
def store(empty: Store) -> Store:
    """A store in which Ada (1) owns one object of each kind, and Bob (2) owns nothing."""
    with empty.write() as session:
        ada, _bob = add_user(session, "Ada", PASSWORD), add_user(session, "Bob", PASSWORD)
        pets = Dataset(owner_id=ada.id, name="pets", classes=["cat"], content_hash="", source="",
                       report={})  # fmt: skip
        session.add(pets)
        session.flush()
        session.add_all([
            Import(owner_id=ada.id, name="old", source="", state="finished"),
            Run(owner_id=ada.id, dataset_id=pets.id, name="r", config={}, seed=0, state="finished"),
            Subset(owner_id=ada.id, dataset_id=pets.id, name="s", kind="subset", facts={}),
            Task(owner_id=ada.id, dataset_id=pets.id, kind="map", params={}, state="finished"),
            Sample(dataset_id=pets.id, file_name="a", sha256="", extension=".png", width=1,
                   height=1, split="train", label=0),
        ])  # fmt: skip
    return empty


def test_sharing_allows_reading_until_it_ends(store: Store) -> None:
    owned: tuple[Any, ...] = (Dataset, Run, Subset, Task)
    with store.write() as session:
        assert share(session, 1, 1, "Bob").id == 2
        share(session, 1, 1, "Bob")  # sharing twice has no further effect
        assert shared_with(session, 1, 1) == ["Bob"]
    with store.write() as session:
        for kind in owned:
            assert visible(session, 2, kind, 1).id == 1
            with pytest.raises(NotAllowedError, match=r"Ada shares this with you.*only Ada can"):
                changeable(session, 2, kind, 1)
            assert changeable(session, 1, kind, 1).id == 1
        with pytest.raises(NotFoundError):
            visible(session, 2, Import, 1)  # imports are not shared
        assert visible_sample(session, 2, 1).file_name == "a"
        assert dataset_named(session, 2, "pets").id == 1
        assert [d.name for d in dataset_summaries(session, 2)] == ["pets"]
        assert [r.name for r in list_runs(session, 2)] == ["r"]
        with pytest.raises(NotAllowedError):
            edit(session, 2, 1, "label", {1: None})
        with pytest.raises(NotAllowedError):
            delete_subset(session, 2, 1)
        for act in (share, unshare):
            with pytest.raises(NotAllowedError):  # Bob can't share it either
                act(session, 2, 1, "Ada")
    assert submit_task(store, "map", 1, {}, 2) == 1  # returns the existing task
    with pytest.raises(NotAllowedError):
        submit_task(store, "map", 1, {"vlm": "other"}, 2)
    with store.write() as session:
        unshare(session, 1, 1, "Bob")
        with pytest.raises(InputError, match="not shared with Bob"):
            unshare(session, 1, 1, "Bob")
    with store.read() as session:
        for kind in owned:
            with pytest.raises(NotFoundError):
                visible(session, 2, kind, 1)
        assert not dataset_summaries(session, 2)
        assert not list_runs(session, 2)


def test_only_the_local_owner_can_use_a_model_file(store: Store) -> None:
    """The file could be another user's model, or any file that the studio can read."""
    file = "efficientnet_lite0@/home/studio/runs/1/model/model.safetensors"
    settings: list[dict[str, Any]] = [{"model": file}, {"vlm": file}]
    for setting in settings:
        with pytest.raises(NotAllowedError, match=r"you can.t use model files"):
            submit_run(store, RunConfig(dataset="pets", budget="1", **setting), 1)
        with pytest.raises(NotAllowedError, match=r"you can.t use model files"):
            submit_task(store, "map", 1, setting, 1)


def test_sharing_with_an_unknown_user_is_refused(store: Store) -> None:
    with store.write() as session:
        for name in ("Zoe", "", "bob"):
            with pytest.raises(NotFoundError, match=f"no user called '{name}'"):
                share(session, 1, 1, name)
        with pytest.raises(InputError, match="You own"):
            share(session, 1, 1, "Ada")


def test_an_own_dataset_takes_precedence_over_a_shared_one(store: Store) -> None:
    with store.write() as session:
        share(session, 1, 1, "Bob")
        session.add(Dataset(owner_id=2, name="pets", classes=[], content_hash="", source="",
                            report={}))  # fmt: skip
        session.flush()
        assert dataset_named(session, 2, "pets").owner_id == 2
        assert dataset_named(session, 2, "1").owner_id == 1


def test_a_user_who_owns_something_is_not_removed(store: Store) -> None:
    with store.write() as session:
        edit(session, 1, 1, "caption", {1: "hers"})
        with pytest.raises(
            InputError, match=r"Ada owns 'pets'.*--give-to USER, or delete it with --delete"
        ):
            remove_user(session, "Ada")
        share(session, 1, 1, "Bob")
        ada, bob = user_named(session, "Ada"), user_named(session, "Bob")
        assert transfer_all(session, ada, bob) == 1
        everything: tuple[Any, ...] = (Dataset, Run, Subset, Task, Import)
        for kind in everything:
            assert changeable(session, bob.id, kind, 1).owner_id == bob.id
        assert shared_with(session, bob.id, 1) == []
        remove_user(session, "Ada")
        assert [user.name for user in list_users(session)] == ["Bob"]
        with pytest.raises(NotFoundError):
            user_named(session, "Ada")
        assert session.get_one(User, 1).name == "Ada"  # the history still names the user
        assert add_user(session, "Ada", PASSWORD).id == 1
        assert not dataset_summaries(session, 1)


def test_nothing_is_transferred_while_a_job_runs(store: Store) -> None:
    with store.write() as session:
        ada, bob = user_named(session, "Ada"), user_named(session, "Bob")
        session.get_one(Run, 1).state = QUEUED
        session.flush()
        with pytest.raises(InputError, match="Run 1 of Ada has not ended"):
            transfer_all(session, ada, bob)
        session.get_one(Run, 1).state = "finished"
        session.add(Dataset(owner_id=2, name="pets", classes=[], content_hash="", source="",
                            report={}))  # fmt: skip
        session.flush()
        with pytest.raises(InputError, match="both have a dataset called 'pets'"):
            transfer_all(session, ada, bob)


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [
        ("ada", PASSWORD, "already a user called 'Ada'"),
        ("", PASSWORD, "1 to 100 characters"),
        ("\u202e\0", PASSWORD, "1 to 100 characters"),
        ("x" * 101, PASSWORD, "1 to 100 characters"),
        ("local owner", PASSWORD, "is reserved"),
        ("12", PASSWORD, "is reserved"),
        ("zoe", "short", "Use 10 to 1000"),
        ("zoe", "x" * 1001, "Use 10 to 1000"),
        ("a long name", "A Long Name", "The password is the same as the username"),
    ],
)
def test_invalid_users_are_refused(store: Store, name: str, password: str, words: str) -> None:
    with store.write() as session, pytest.raises(InputError, match=words):
        add_user(session, name, password)


def test_case_is_ignored_in_non_ascii_names(store: Store) -> None:
    with store.write() as session:
        made = add_user(session, "Ärger", PASSWORD).id
        for name in ("Ärger", "ärger", "ÄRGER"):
            with pytest.raises(InputError, match="already a user called 'Ärger'"):
                add_user(session, name, PASSWORD)
        remove_user(session, "Ärger")
        assert add_user(session, "ärger", PASSWORD).id == made
        assert [user.name for user in list_users(session)] == ["Ada", "Bob", "Ärger"]


def test_users_whose_names_differ_only_in_case_are_restored(store: Store) -> None:
    with store.write() as session:
        gone = now()
        session.add_all([User(name="Öz", removed_at=gone), User(name="öz", removed_at=gone)])
        session.flush()
        assert add_user(session, "öz", PASSWORD).name == "öz"
        with pytest.raises(InputError, match="already a user called 'öz'"):
            add_user(session, "Öz", PASSWORD)


def test_passwords_are_stored_as_slow_argon2id_hashes(store: Store) -> None:
    with store.read() as session:
        kept = user_named(session, "Ada").password_hash
    assert kept is not None
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept
    begun = time.process_time()
    assert passwords.verify_password(kept, PASSWORD)
    cost = time.process_time() - begun
    assert cost > 0.01  # seconds; at most 100 guesses per second and core
    assert not passwords.verify_password(kept, PASSWORD + "x")
    assert not passwords.verify_password(None, "\0" * passwords.SHORTEST)
    assert not passwords.verify_password(kept, "x" * 5000)


def test_a_new_password_replaces_the_old_one(store: Store) -> None:
    with store.write() as session:
        kept = set_password(session, "Ada", "another password").password_hash
    assert passwords.verify_password(kept, "another password")
    assert not passwords.verify_password(kept, PASSWORD)
