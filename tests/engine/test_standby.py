"""The standby process: it is used once, and jobs do not depend on it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.harness import WorkerProcess, is_alive, wait_for, worker
from tests.engine.test_tasks import counting, ended, row
from vecaf.engine.paths import log_of
from vecaf.engine.protocol import Attempt
from vecaf.engine.queue import cancel_task, submit_task
from vecaf.engine.standby import IDLE_SECONDS, Standby
from vecaf.store import CANCELED, FINISHED, RUNNING, Store
from vecaf.tasks import TASKS


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TASKS, "_entries", {**TASKS._entries, "counting": counting})


def prepared(process: WorkerProcess) -> int:
    """Wait for the worker's standby process, and return it."""
    wait_for(lambda: len(process.children()) == 1, 20, "no process stands by")
    (child,) = process.children()
    return child


def count(store: Store, dataset_id: int, **params: int) -> int:
    return submit_task(store, "counting", dataset_id, params, store.owner())


def logged(store: Store, task_id: int) -> str:
    return log_of(store.settings, "task", task_id).read_text()


def test_it_runs_the_next_task_and_another_one_starts(store: Store, dataset_id: int) -> None:
    with worker(store.settings, stand_in="task", standby=True) as process:
        first = prepared(process)
        task_id = count(store, dataset_id, upto=2)
        assert ended(store, task_id).result == {"counted": 2}
        assert f"process {first}" in logged(store, task_id)
        wait_for(lambda: not is_alive(first), 10, "it does not end with its task")
        second = prepared(process)
        other = count(store, dataset_id, upto=3)
        assert ended(store, other).result == {"counted": 3}
        assert f"process {second}" in logged(store, other)


@pytest.mark.soak  # test_tasks.py repeats a killed task
def test_a_task_that_crashes_in_it_is_repeated(store: Store, dataset_id: int) -> None:
    with worker(store.settings, stand_in="task", standby=True) as process:
        first = prepared(process)
        task = ended(store, count(store, dataset_id, upto=3, crash_at=2))
    assert (task.state, task.attempt) == (FINISHED, 2)
    assert logged(store, task.id).count(f"process {first}\n") == 1
    assert "attempt 2" in logged(store, task.id)


@pytest.mark.soak
def test_a_task_runs_without_it_if_it_was_killed(store: Store, dataset_id: int) -> None:
    with worker(store.settings, stand_in="task", standby=True) as process:
        os.kill(prepared(process), signal.SIGKILL)
        assert ended(store, count(store, dataset_id, upto=2)).state == FINISHED


def test_a_task_in_it_is_canceled_within_seconds(store: Store, dataset_id: int) -> None:
    with worker(store.settings, stand_in="task", standby=True) as process:
        prepared(process)
        task_id = count(store, dataset_id, upto=600)
        wait_for(lambda: row(store, task_id).state == RUNNING, 20, "the task has not begun")
        cancel_task(store, task_id, store.owner())
        assert ended(store, task_id).state == CANCELED


@pytest.mark.parametrize(
    "how", [pytest.param(signal.SIGTERM, marks=pytest.mark.soak), signal.SIGKILL]
)
def test_it_ends_with_its_worker(store: Store, how: signal.Signals) -> None:
    with worker(store.settings, stand_in="task", standby=True) as process:
        child = prepared(process)
        process.send(how)
        process.wait(10)
        wait_for(lambda: not is_alive(child), 60, "it outlives its worker")


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Return the processes that a Standby of the test has started."""
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for process in found:
        process.kill()
        process.wait()


def test_an_unused_one_ends_and_the_next_starts_after_a_job(
    started: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", "import sys; print(sys.stdin.readline())"]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        return started[-1]

    def end(process: subprocess.Popen[Any]) -> int:
        process.kill()
        return process.wait()

    now = 0.0
    standby = Standby(start, end, clock=lambda: now)
    standby.update(10)
    assert not started, "pages come first"
    now = IDLE_SECONDS + 1
    standby.update(0)
    assert not started, "a setting turns it off"
    standby.update(10)
    standby.update(10)
    assert len(started) == 1
    now += 601
    standby.update(10)
    assert started[0].poll() is not None
    now += 601
    standby.update(10)
    assert len(started) == 1, "nobody has used the studio meanwhile"
    assert standby.assign(Attempt("task", 1, 1), tmp_path / "log.txt") is None
    now += IDLE_SECONDS + 1
    standby.update(10)
    assert len(started) == 2
    assert standby.assign(Attempt("task", 2, 1), tmp_path / "log.txt") is started[1]
