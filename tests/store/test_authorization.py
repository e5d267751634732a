"""Objects of other users are not found; the messages are those for missing objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import both_databases
from vecaf.errors import NotFoundError
from vecaf.settings import Settings
from vecaf.store import (
    Dataset,
    Import,
    Run,
    Sample,
    Store,
    Subset,
    Task,
    User,
    dataset_named,
    visible,
    visible_sample,
)
from vecaf.store.datasets import dataset_exists, dataset_summaries

pytestmark = both_databases


@pytest.fixture
def store(tmp_path: Path, database: str) -> Store:
    """A store in which Ada owns one object of each kind, and Bob owns nothing."""
    where = {"VECAF_HOME": str(tmp_path), "DATABASE_URL": database}
    store = Store.open(Settings.from_environment(where))
    with store.write() as session:
        session.add_all([User(id=1, name="Ada"), User(id=2, name="Bob")])
        session.flush()
        session.add(Dataset(id=1, owner_id=1, name="pets", classes=["cat"], content_hash="",
                            source="", report={}))  # fmt: skip
        session.flush()
        session.add_all([
            Import(id=1, owner_id=1, name="pets", source=""),
            Run(id=1, owner_id=1, dataset_id=1, name="r", config={}, seed=0),
            Subset(id=1, owner_id=1, dataset_id=1, name="s", kind="subset", facts={}),
            Task(id=1, owner_id=1, dataset_id=1, kind="map", params={}),
            *(Sample(id=i, dataset_id=1, file_name=str(i), sha256="", extension=".png", width=1,
                     height=1, split=split, label=0)
              for i, split in enumerate(["train", "train", "test"], start=1)),
        ])  # fmt: skip
    return store


@pytest.mark.parametrize("kind", [Dataset, Import, Run, Subset, Task])
def test_visible_returns_only_the_owners_objects(store: Store, kind: type) -> None:
    with store.read() as session:
        assert visible(session, 1, kind, 1).id == 1
        messages = []
        for user, thing in ((2, 1), (1, 7), (2, 7)):
            with pytest.raises(NotFoundError) as error:
                visible(session, user, kind, thing)
            messages.append(str(error.value).replace("7", "1"))
        assert len(set(messages)) == 1, "a stranger's thing and no thing must read the same"


def test_images_are_visible_with_their_dataset(store: Store) -> None:
    with store.read() as session:
        assert visible_sample(session, 1, 1).file_name == "1"
        for user, sample in ((2, 1), (1, 99)):
            with pytest.raises(NotFoundError, match="There is no image"):
                visible_sample(session, user, sample)


def test_datasets_by_name_or_id(store: Store) -> None:
    with store.read() as session:
        assert dataset_named(session, 1, "pets").id == dataset_named(session, 1, "1").id == 1
        with pytest.raises(NotFoundError, match="Your datasets: pets"):
            dataset_named(session, 1, "pet")
        for name in ("pets", "1"):
            with pytest.raises(NotFoundError, match="Import a dataset first"):
                dataset_named(session, 2, name)


def test_lists(store: Store) -> None:
    with store.read() as session:
        (pets,) = dataset_summaries(session, 1)
        assert (pets.name, pets.classes, pets.images) == ("pets", 1, 3)
        assert pets.splits == {"train": 2, "test": 1}
        assert dataset_summaries(session, 2) == []
        assert dataset_exists(session, 1, "pets")
        assert not dataset_exists(session, 2, "pets")


def test_a_name_with_unstorable_characters_is_not_found(store: Store) -> None:
    for name in ("caf\udce9", "pe\0ts"):
        with store.read() as session, pytest.raises(NotFoundError, match="Your datasets: pets"):
            dataset_named(session, 1, name)
