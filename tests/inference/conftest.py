"""A home with datasets of two users, and an inference process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.shell.inference import InferenceProcess
from tests.homes import new_home
from tests.shapes import write_shapes
from tests.waiting import result_of
from vecaf.datasets import import_dataset
from vecaf.settings import Settings
from vecaf.store import Dataset, Store, User, dataset_named

STRANGERS = "not yours"


@dataclass(frozen=True)
class Asker:
    """Sends requests to the inference process and waits for the answers."""

    keeper: InferenceProcess

    def ask(self, name: str, *, user: int, **arguments: Any) -> dict[str, Any]:
        return result_of(self.keeper.ask(name, user=user, **arguments))


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    home = new_home(tmp_path_factory.mktemp("home"))
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(home)}))
    write_shapes(home / "upload", 60)
    import_dataset(store, home / "upload", "shapes", user_id=store.owner())
    with store.write() as session:
        stranger = User(name="stranger")
        session.add(stranger)
        session.flush()
        stranger_id = stranger.id
    import_dataset(store, home / "upload", STRANGERS, user_id=stranger_id)
    return store


@pytest.fixture(scope="package")
def dataset(store: Store) -> Dataset:
    with store.read() as session:
        return dataset_named(session, store.owner(), "shapes")


@pytest.fixture(scope="package")
def keeper(store: Store) -> Iterator[Asker]:
    environment = {**os.environ, **store.settings.as_environment(), "OMP_NUM_THREADS": "1"}
    keeper = InferenceProcess(environment)
    yield Asker(keeper)
    keeper.stop()
