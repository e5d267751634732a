"""Subsets keep the order and the scores of their images."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.databases import postgresql_in_soak
from vecaf.errors import InputError, NotFoundError
from vecaf.settings import Settings
from vecaf.store import (
    FINISHED,
    QUEUED,
    RUNNING,
    SELECTION,
    SUBSET,
    TEST,
    TRAIN,
    Dataset,
    Run,
    Sample,
    Store,
    User,
)
from vecaf.store.subsets import (
    add_subset,
    delete_subset,
    labeled_of,
    subset_named,
    subset_samples,
    subsets_of,
)

pytestmark = postgresql_in_soak


@pytest.fixture
def store(tmp_path: Path, database: str) -> Store:
    """Ada's dataset 1: samples 1 to 3 in train (2 is unlabeled, 3 excluded), sample 4 in test."""
    where = {"VECAF_HOME": str(tmp_path), "DATABASE_URL": database}
    store = Store.open(Settings.from_environment(where))
    with store.write() as session:
        session.add_all([User(id=1, name="Ada"), User(id=2, name="Bob")])
        session.flush()
        session.add(Dataset(id=1, owner_id=1, name="pets", classes=["cat"], content_hash="",
                            source="", report={}))  # fmt: skip
        session.flush()
        session.add_all(
            Sample(id=i, dataset_id=1, file_name=str(i), sha256="", extension=".png", width=1,
                   height=1, split=TEST if i == 4 else TRAIN, label=None if i == 2 else 0,
                   excluded=i == 3)
            for i in (1, 2, 3, 4)
        )  # fmt: skip
    return store


def test_a_selection_keeps_order_scores_and_facts(store: Store) -> None:
    with store.write() as session:
        scores = {"density": [0.5, math.nan, 2.0]}
        facts = {"strategy": "vecaf"}
        made = add_subset(
            session, 1, 1, " my  picks ", SELECTION, [3, 1, 2], scores=scores, facts=facts
        )
    with store.read() as session:
        rows = subset_samples(session, 1, made.id)
        assert [(place.rank, sample.id) for place, sample in rows] == [(0, 3), (1, 1), (2, 2)]
        assert [place.scores["density"] for place, _ in rows] == [0.5, None, 2.0]
        assert [sample.id for _, sample in subset_samples(session, 1, made.id, offset=1, limit=1)] \
            == [1]  # fmt: skip
        (summary,) = subsets_of(session, 1, 1)
        assert (summary.name, summary.images, summary.labeled) == ("my picks", 3, 2)
        assert summary.facts == facts
        found = subset_named(session, 1, 1, "my picks")
        assert labeled_of(session, found) == 1  # 2 is unlabeled, 3 is excluded


def test_deleting_a_subset_keeps_its_images(store: Store) -> None:
    with store.write() as session:
        made = add_subset(session, 1, 1, "some", SUBSET, [1, 2])
    with store.write() as session:
        delete_subset(session, 1, made.id)
    with store.read() as session:
        assert subsets_of(session, 1, 1) == []
        assert session.get(Sample, 1) is not None


@pytest.mark.parametrize(
    ("name", "kind", "images", "error"),
    [
        (" ", SUBSET, [1], InputError),
        ("taken", SUBSET, [1], InputError),
        ("new", "heap", [1], InputError),
        ("new", SUBSET, [], InputError),
        ("new", SUBSET, [1, 99], NotFoundError),
    ],
)
def test_invalid_subsets_are_refused(
    store: Store, name: str, kind: str, images: list[int], error: type[Exception]
) -> None:
    with store.write() as session:
        add_subset(session, 1, 1, "taken", SUBSET, [1])
    with pytest.raises(error), store.write() as session:
        add_subset(session, 1, 1, name, kind, images)
    with store.read() as session:
        assert [one.name for one in subsets_of(session, 1, 1)] == ["taken"]


def test_unstorable_characters_are_removed_from_names(store: Store) -> None:
    with store.write() as session:
        assert add_subset(session, 1, 1, "a\0b \ud800c", SUBSET, [1]).name == "a b c"


def test_a_subset_of_an_unfinished_run_is_not_deleted(store: Store) -> None:
    with store.write() as session:
        needed = add_subset(session, 1, 1, "needed", SUBSET, [1]).id
        other = add_subset(session, 1, 1, "other", SUBSET, [1]).id
        run = Run(owner_id=1, dataset_id=1, name="r", config={"subset": "needed"}, seed=0)
        session.add(run)
        session.flush()
        for state in (QUEUED, RUNNING):
            run.state = state
            with pytest.raises(InputError, match=f"run {run.id} trains on it and is {state}"):
                delete_subset(session, 1, needed)
        delete_subset(session, 1, other)
        run.state = FINISHED
        delete_subset(session, 1, needed)
        assert subsets_of(session, 1, 1) == []


def test_subsets_of_other_users_are_not_found(store: Store) -> None:
    with store.write() as session:
        made = add_subset(session, 1, 1, "mine", SUBSET, [1])
        for ask in (
            lambda: add_subset(session, 2, 1, "theirs", SUBSET, [1]),
            lambda: subset_samples(session, 2, made.id),
            lambda: subset_named(session, 2, 1, "mine"),
            lambda: delete_subset(session, 2, made.id),
        ):
            with pytest.raises(NotFoundError):
                ask()
