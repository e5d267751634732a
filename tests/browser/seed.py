"""A home with datasets, a map and a finished run that all browser tests start from."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tests.browser.studio import Server, ended, free_port, shapes, wait_for
from vecaf.config import RunConfig
from vecaf.engine.queue import submit_run, submit_task
from vecaf.store import dataset_named

READY = "ready shapes"
EXPLORED = "to explore"
EXPLORED_COUNT = 40  # images of each of its three classes
RUN = RunConfig(dataset=READY, budget="6", rounds=2, epochs=2)


def seeded_home(factory: pytest.TempPathFactory) -> Path:
    """Return the seeded home of this test session. Copy it; don't change it.

    The first of the session's processes that needs the home makes it with a real studio. The others
    wait.
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
    """Upload two datasets, finetune on the first, and compute the map of the second."""
    server = Server(home, free_port(), ["--no-demo"])
    server.start()
    server.upload(READY, shapes(folder / "ready.zip", 30, seed=1).read_bytes())
    archive = shapes(folder / "explored.zip", EXPLORED_COUNT, seed=3)
    server.upload(EXPLORED, archive.read_bytes())
    store = server.store()
    with store.read() as session:
        explored = dataset_named(session, store.owner(), EXPLORED).id
    run_id = submit_run(store, RUN, store.owner())
    task_id = submit_task(store, "map", explored, {}, store.owner())
    store.close()
    wait_for(lambda: ended(server, "run", run_id), 600, "the run to finish")
    wait_for(lambda: ended(server, "task", task_id), 600, "the map to be computed")
    assert server.stop() == 0
