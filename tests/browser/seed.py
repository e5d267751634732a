"""A home with datasets, a map and a finished run that all browser tests start from."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tests.browser.studio import shapes
from tests.finished import finish_run, finish_task
from tests.homes import new_home
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.settings import Settings
from vecaf.store import Store, dataset_named

READY = "ready shapes"
EXPLORED = "to explore"
EXPLORED_COUNT = 40  # images of each of its three classes
RUN = RunConfig(dataset=READY, budget="6", rounds=2, epochs=2)


def seeded_home(factory: pytest.TempPathFactory) -> Path:
    """Return the seeded home of this test session. Copy it; don't change it.

    The first of the session's processes that needs the home makes it. The others wait.
    """
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # all processes of the session share it
    home, done = folder / "seeded-home", folder / "seeded-home-is-complete"
    with (folder / "seeded-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            _fill(home, folder)
            done.touch()
    return home


def _fill(home: Path, folder: Path) -> None:
    """Import two datasets, finetune on the first, and compute the map of the second."""
    settings = {"VECAF_HOME": str(new_home(home)), "DATABASE_URL": "", "VECAF_DEVICE": "cpu"}
    store = Store.open(Settings.from_environment(settings))
    me = store.owner()
    import_dataset(store, shapes(folder / "ready.zip", 30, seed=1), READY, user_id=me)
    archive = shapes(folder / "explored.zip", EXPLORED_COUNT, seed=3)
    import_dataset(store, archive, EXPLORED, user_id=me)
    with store.read() as session:
        explored = dataset_named(session, me, EXPLORED).id
    finish_run(store, RUN)
    finish_task(store, "map", explored)
    store.close()
