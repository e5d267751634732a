"""What every engine must do, with real processes: local children, and jobs of a Ray cluster.

The runs are stand-ins (tests/engine/stand_in).
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.engine.harness import (
    WorkerProcess,
    group_members,
    is_alive,
    log_lines,
    run_row,
    wait_for,
    wait_until_ended,
    worker,
)
from tests.engine.ray_cluster import RayCluster
from tests.recorded import metrics_of
from vecaf.config import RunConfig
from vecaf.engine.locks import FileLock
from vecaf.engine.paths import lock_of, log_of
from vecaf.engine.queue import cancel_run, resume_run, submit_run
from vecaf.store import CANCELED, FAILED, FINISHED, RUNNING, Event, Round, Store

PATIENCE = 240.0


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """The address of a cluster of one node with four made-up CPUs and one made-up GPU."""
    folder = Path(tempfile.mkdtemp(prefix="vr"))
    cluster = RayCluster(folder)
    try:
        yield cluster.address
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Bench:
    """Starts workers on one of the engines."""

    def __init__(self, store: Store, address: str) -> None:
        self._store, self._address = store, address
        self.cluster = bool(address)

    def worker(self, stand_in: str) -> AbstractContextManager[WorkerProcess]:
        return worker(self._store.settings, stand_in=stand_in, cluster=self._address)

    def process_of(self, run_id: int) -> int:
        """Return the id of the process that works on a run."""
        pid, _ = FileLock(lock_of(self._store.settings, "run", run_id)).holder()
        assert pid is not None
        return pid


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.soak)])
def bench(request: pytest.FixtureRequest, store: Store) -> Bench:
    """The engines. A job of a cluster takes several seconds, so one test tries `both_engines`."""
    return Bench(store, request.getfixturevalue("ray_address") if request.param == "ray" else "")


both_engines = pytest.mark.parametrize("bench", ["local", "ray"], indirect=True)


def wait_for_round(store: Store, run_id: int, number: int) -> None:
    def recorded() -> bool:
        with store.read() as session:
            rounds = sa.select(Round.number).where(Round.run_id == run_id)
            return number in session.scalars(rounds).all()

    wait_for(recorded, PATIENCE, f"round {number} was not finished")


def metric_count(store: Store, run_id: int) -> int:
    with store.read() as session:
        return len(metrics_of(session, run_id))


def in_order(store: Store, ids: list[int]) -> bool:
    with store.read() as session:
        query = sa.select(Event.run_id).where(Event.message == "Started.").order_by(Event.id)
        return list(session.scalars(query)) == ids


@pytest.mark.soak  # test_dispatcher.py has many jobs
@pytest.mark.parametrize("jobs", [3, 100])
def test_jobs_are_done_once_and_in_order(bench: Bench, store: Store, rows: str, jobs: int) -> None:
    config = RunConfig(dataset=rows, budget="5", rounds=1)
    ids = [submit_run(store, config, store.owner()) for _ in range(jobs)]
    with bench.worker("quick"):
        for run_id in ids:
            assert wait_until_ended(store, run_id, PATIENCE).state == FINISHED
    assert in_order(store, ids)
    for run_id in ids:
        assert log_lines(store, run_id) == ["Queued.", "Started.", "Finished."]
        log = log_of(store.settings, "run", run_id).read_text()
        assert log.count(f"run {run_id}, attempt 1, process") == log.count(", process ") == 1


def test_progress_is_visible(bench: Bench, store: Store, run_id: int) -> None:
    with bench.worker("work"):
        wait_for(lambda: run_row(store, run_id).done > 0, PATIENCE, "no progress")
        row = run_row(store, run_id)
        assert (row.state, row.total) == (RUNNING, 20) and "training" in row.stage
        if bench.cluster:
            wait_for(lambda: bool(run_row(store, run_id).node), PATIENCE, "no node is shown")
        run = wait_until_ended(store, run_id, PATIENCE)
    assert (run.state, run.error, run.attempt, run.node) == (FINISHED, None, 1, None)
    assert metric_count(store, run_id) == 40


@pytest.mark.soak
def test_a_run_canceled_in_the_queue_never_starts(bench: Bench, store: Store, run_id: int) -> None:
    assert cancel_run(store, run_id, store.owner()) == CANCELED
    assert cancel_run(store, run_id, store.owner()) == CANCELED
    follower = submit_run(store, RunConfig(dataset="rows", budget="5", rounds=1), store.owner())
    with bench.worker("quick"):
        wait_until_ended(store, follower, PATIENCE)
    assert "Started." not in log_lines(store, run_id)


@pytest.mark.soak
@pytest.mark.parametrize("behavior", ["work", "hang"])
def test_a_run_canceled_while_it_runs_ends_with_all_its_processes(
    bench: Bench, store: Store, run_id: int, behavior: str
) -> None:
    with bench.worker(behavior):
        stages = ("standing in", "training")
        wait_for(
            lambda: any(stage in run_row(store, run_id).stage for stage in stages),
            PATIENCE,
            "no start",
        )
        group = os.getpgid(bench.process_of(run_id))
        assert cancel_run(store, run_id, store.owner()) == RUNNING
        assert wait_until_ended(store, run_id, PATIENCE).state == CANCELED
        wait_for(lambda: not group_members(group), PATIENCE, "a process of the run lives on")


def test_an_unexpected_error_fails_the_run_and_its_details_stay_in_the_log(
    bench: Bench, store: Store, run_id: int
) -> None:
    with bench.worker("raise"):
        run = wait_until_ended(store, run_id, PATIENCE)
    assert (run.state, run.attempt) == (FAILED, 1)
    assert run.error is not None
    assert "ZeroDivisionError" in run.error and f"runs/{run_id}/log.txt" in run.error
    assert "secret" not in run.error
    log = log_of(store.settings, "run", run_id).read_text()
    assert "a secret detail" in log and "Traceback" in log


@both_engines
def test_a_run_that_is_killed_once_finishes(bench: Bench, store: Store, run_id: int) -> None:
    with bench.worker("crash once"):
        run = wait_until_ended(store, run_id, PATIENCE)
    assert (run.state, run.attempt, run.crashes) == (FINISHED, 2, 1)
    assert any("memory ran out" in line for line in log_lines(store, run_id))


@pytest.mark.soak  # test_worker.py pauses a run with SIGTERM
@pytest.mark.parametrize(
    "how", [pytest.param(signal.SIGTERM, marks=pytest.mark.soak), signal.SIGKILL]
)
def test_no_work_is_lost_if_the_worker_is_restarted(
    bench: Bench, store: Store, run_id: int, how: signal.Signals
) -> None:
    with bench.worker("work") as process:
        wait_for_round(store, run_id, 1)
        child = bench.process_of(run_id)
        process.send(how)
        process.wait(PATIENCE)
    if not bench.cluster:
        wait_for(lambda: not is_alive(child), PATIENCE, "the child outlived its worker")
    with bench.worker("work"):
        run = wait_until_ended(store, run_id, PATIENCE)
    assert (run.state, run.attempt) == (FINISHED, 1 if bench.cluster else 2)
    assert metric_count(store, run_id) == 40


@pytest.mark.soak  # test_recorder.py has outdated attempts
def test_an_outdated_attempt_writes_nothing(
    bench: Bench, store: Store, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is canceled while its worker seems dead gets a new attempt number at once."""
    monkeypatch.setattr("vecaf.store.workers.SILENT_SECONDS", 0.0)
    with bench.worker("work"):
        wait_for_round(store, run_id, 1)
        assert cancel_run(store, run_id, store.owner()) == CANCELED
        resume_run(store, run_id, store.owner())
        run = wait_until_ended(store, run_id, PATIENCE)
    assert (run.state, run.attempt, run.crashes) == (FINISHED, 3, 0)
    assert metric_count(store, run_id) == 40
    assert log_lines(store, run_id)[-1] == "Finished."
