"""Queries of pages: correct counts, images of all classes, and authorization."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import DATABASES, address
from vecaf.config import RunConfig
from vecaf.errors import NotFoundError
from vecaf.settings import Settings
from vecaf.store import Dataset, Metric, Run, Sample, Store, User
from vecaf.store.datasets import dataset_versions
from vecaf.store.page_queries import (
    accuracies,
    curves,
    dataset_card,
    dataset_names,
    log_tail,
    pool_pictures,
    pool_size,
)


@pytest.fixture(scope="module", params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    home: Path = tmp_path_factory.mktemp("home")
    where = {"VECAF_HOME": str(home), "DATABASE_URL": address(request)}
    store = Store.open(Settings.from_environment(where))
    with store.write() as session:
        dataset = Dataset(owner_id=store.owner(), name="d", classes=["a", "b", "c"], report={},
                          content_hash="", source="", attribution=None)  # fmt: skip
        session.add_all([dataset, User(name="stranger")])
        session.flush()
        for i in range(300):
            split = ("train", "train", "test")[i % 3]
            session.add(Sample(dataset_id=dataset.id, file_name=f"{i:03}", sha256=f"{i:064}",
                               extension=".png", width=8, height=8, split=split,
                               label=None if i >= 290 else i // 100))  # fmt: skip
        run = Run(owner_id=store.owner(), dataset_id=dataset.id, name="r", seed=0,
                  config=RunConfig(dataset="d").as_dict())  # fmt: skip
        session.add(run)
        session.flush()
        for step in range(1, 3001):
            session.add(Metric(run_id=run.id, round=1, step=step, name="train_loss", value=step))
        session.add(Metric(run_id=run.id, round=1, step=7, name="val_loss", value=0.5))
    return store


def test_a_card_has_counts_and_images_of_all_classes(store: Store) -> None:
    with store.read() as session:
        card = dataset_card(session, store.owner(), 1, shown=7)
        assert (card.size, card.splits) == (300, {"train": 200, "test": 100})
        assert (card.class_counts, card.unlabeled, card.runs) == ([100, 100, 90], 10, 1)
        assert len({sample.id for sample in card.pictures}) == 7
        assert {sample.label for sample in card.pictures} == {0, 1, 2, None}
        assert {sample.split for sample in card.pictures} == {"train"}
        for shown in (2, 40):  # fewer than the classes, and many more
            assert len(dataset_card(session, store.owner(), 1, shown=shown).pictures) == shown
        assert pool_size(session, store.owner(), 1) == 200
        wall = pool_pictures(session, store.owner(), 1, 40)
        assert len(wall) == 40
        assert [sample.id for sample in wall] == sorted(sample.id for sample in wall)
        assert wall[-1].id > 280
        assert len(pool_pictures(session, store.owner(), 1, 999)) == 200


def test_long_curves_are_thinned_but_keep_the_last_point(store: Store) -> None:
    with store.read() as session:
        found = curves(session, store.owner(), 1, points=100)
    loss = found["train_loss"]
    assert 90 <= len(loss) <= 110
    assert loss == sorted(loss)
    assert loss[-1] == (3000, 3000.0)
    assert found["val_loss"] == [(7, 0.5)]


def test_other_users_see_nothing(store: Store) -> None:
    with store.read() as session:
        stranger = 2
        assert dataset_versions(session, stranger) == []
        assert dataset_names(session, stranger) == []
        assert accuracies(session, stranger, [1]) == {}
        for query in (dataset_card, pool_size, curves, log_tail):
            with pytest.raises(NotFoundError):
                query(session, stranger, 1)
        with pytest.raises(NotFoundError):
            pool_pictures(session, stranger, 1, 5)
