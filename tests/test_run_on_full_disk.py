"""A run on a disk that is full at each of its writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import PAGE, only, small_disk
from tests.engine.harness import (
    WorkerProcess,
    check_integrity,
    wait_until_ended,
    worker,
)
from tests.finished import CONFIG, new_studio
from vecaf.engine.queue import resume_run, submit_run
from vecaf.files import DISK_FULL
from vecaf.store import FAILED, FINISHED, Store


@pytest.fixture
def home_of_a_run(tmp_path: Path) -> Iterator[tuple[Path, Store]]:
    """A disk with space for a run's model, and a store whose home is on it."""
    with small_disk(tmp_path / "disk", 64) as disk:
        store = new_studio(disk / "home", count=60)
        yield disk, store
        store.close()


@pytest.mark.soak  # test_full_disk.py fills the disk for each of its parts
def test_a_run_from_end_to_end(home_of_a_run: tuple[Path, Store]) -> None:
    disk, store = home_of_a_run
    run_id = submit_run(store, CONFIG, store.owner())
    with only(0, disk):  # not even space for a worker's lock
        refused = WorkerProcess(store.settings)
        assert refused.wait(60) == 1
        assert refused.process.stderr is not None
        assert refused.process.stderr.read() == f"vecaf: {DISK_FULL}\n"
        refused.close()

    with only(300 * PAGE, disk), worker(store.settings):  # space for everything except the model
        run = wait_until_ended(store, run_id, 120)
        assert (run.state, run.error) == (FAILED, DISK_FULL)

    resume_run(store, run_id, store.owner())
    with worker(store.settings):
        run = wait_until_ended(store, run_id, 120)
        assert (run.state, run.error) == (FINISHED, None)
    check_integrity(store.settings)
    assert not list(disk.rglob("*.tmp"))
    exported = [path.name for path in (store.settings.runs / str(run_id)).rglob("*.safetensors")]
    assert "model.safetensors" in exported
