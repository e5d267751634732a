from __future__ import annotations

from pathlib import Path

import pytest

from tests.homes import new_home
from vecaf.config import RunConfig
from vecaf.engine.queue import submit_run
from vecaf.settings import Settings
from vecaf.store import TEST, TRAIN, VAL, Dataset, Sample, Store, dataset_named


@pytest.fixture
def settings(tmp_path: Path, database: str) -> Settings:
    home = new_home(tmp_path / "home")
    given = {"VECAF_HOME": str(home), "DATABASE_URL": database, "VECAF_EMBED_ON_IMPORT": "0"}
    return Settings.from_environment(given)


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store.open(settings)


@pytest.fixture
def rows(store: Store) -> str:
    """A dataset of empty files, for runs that never open an image; returns its name."""
    folder = store.settings.images / "00"
    folder.mkdir(parents=True)
    for index in range(80):
        (folder / f"{index:064}.png").touch()
    with store.write() as session:
        dataset = Dataset(
            owner_id=store.owner(),
            name="rows",
            classes=["a", "b"],
            content_hash="0" * 64,
            source="tests",
            report={},
        )
        session.add(dataset)
        session.flush()
        for index in range(80):
            session.add(
                Sample(
                    dataset_id=dataset.id,
                    file_name=f"{index:03}.png",
                    sha256=f"{index:064}",
                    extension=".png",
                    width=8,
                    height=8,
                    split=(TRAIN, TRAIN, VAL, TEST)[index % 4],
                    label=index // 4 % 2,
                )
            )
    return "rows"


@pytest.fixture
def run_id(store: Store, rows: str) -> int:
    """A queued run of two rounds on the dataset of rows."""
    return submit_run(store, RunConfig(dataset=rows, budget="5", rounds=2), store.owner())


@pytest.fixture
def dataset_id(store: Store, rows: str) -> int:
    with store.read() as session:
        return dataset_named(session, store.owner(), rows).id
