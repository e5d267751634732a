"""Submitting, canceling, resuming and stopping, with a real worker and real children.

`test_contract` has what both engines must do.

The runs are stand-ins (tests/engine/stand_in) where a test needs one that hangs, crashes or takes a
known time.
"""

from __future__ import annotations

import signal
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from tests.databases import both_databases
from tests.engine.harness import (
    WorkerProcess,
    check_integrity,
    is_alive,
    log_lines,
    run_row,
    wait_for,
    wait_until_ended,
    worker,
)
from tests.recorded import metrics_of
from vecaf.config import RunConfig
from vecaf.engine import worker as worker_module
from vecaf.engine.queue import cancel_run, resume_run, submit_run
from vecaf.errors import InputError, NotFoundError, UnavailableError
from vecaf.store import (
    CANCELED,
    FINISHED,
    QUEUED,
    SELECTION,
    Round,
    Store,
    Worker,
    dataset_named,
)
from vecaf.store import runs as queries
from vecaf.store.models import now
from vecaf.store.subsets import add_subset
from vecaf.store.workers import heartbeat_age, register_worker, worker_alive


def wait_until_training(store: Store, run_id: int) -> None:
    wait_for(lambda: "training" in run_row(store, run_id).stage, 60, "the run did not start")


def rounds_recorded(store: Store, run_id: int) -> list[int]:
    with store.read() as session:
        return list(session.scalars(sa.select(Round.number).where(Round.run_id == run_id)))


def test_a_run_submitted_before_any_worker_is_finished_by_the_first(
    store: Store, run_id: int
) -> None:
    assert run_row(store, run_id).state == QUEUED
    with worker(store.settings, stand_in="work"):
        wait_for(lambda: _alive(store), 60, "no heartbeat")
        run = wait_until_ended(store, run_id, 60)
        assert (run.state, run.error, run.attempt) == (FINISHED, None, 1)
        second = submit_run(store, RunConfig(dataset="rows", budget="5", rounds=1), store.owner())
        assert wait_until_ended(store, second, 60).state == FINISHED
    assert rounds_recorded(store, run_id) == [1, 2]
    assert log_lines(store, run_id) == ["Queued.", "Started.", "Finished."]
    with store.read() as session:
        points = metrics_of(session, run_id)
        assert len({(point.round, point.step) for point in points}) == len(points) == 40
        assert heartbeat_age(session) is None  # it has unregistered
    check_integrity(store.settings)


def _alive(store: Store) -> bool:
    with store.read() as session:
        return worker_alive(session)


def _metric_count(store: Store, run_id: int) -> int:
    with store.read() as session:
        return len(metrics_of(session, run_id))


@pytest.mark.soak  # the browser's whole path resumes a run
def test_a_canceled_run_resumes_from_its_checkpoint(store: Store, run_id: int) -> None:
    with worker(store.settings, stand_in="work"):
        wait_for(lambda: rounds_recorded(store, run_id) == [1], 60, "no round was finished")
        with pytest.raises(InputError, match="already running"):
            resume_run(store, run_id, store.owner())
        cancel_run(store, run_id, store.owner())
        wait_until_ended(store, run_id, 60)
        resume_run(store, run_id, store.owner())
        run = wait_until_ended(store, run_id, 60)
        assert (run.state, run.attempt) == (FINISHED, 2)
        with pytest.raises(InputError, match="has finished"):
            resume_run(store, run_id, store.owner())
    assert rounds_recorded(store, run_id) == [1, 2]
    assert _metric_count(store, run_id) == 40


def test_sigterm_pauses_the_run_and_the_next_worker_resumes_it(store: Store, run_id: int) -> None:
    with worker(store.settings, stand_in="work") as process:
        wait_until_training(store, run_id)
        children = process.children()
        process.send(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not any(map(is_alive, children))
    assert run_row(store, run_id).state == QUEUED
    with worker(store.settings, stand_in="work"):
        run = wait_until_ended(store, run_id, 60)
    assert (run.state, run.attempt) == (FINISHED, 2)
    assert any(line.startswith("Paused") for line in log_lines(store, run_id))


def test_a_second_signal_ends_the_worker_now(store: Store, run_id: int) -> None:
    with worker(store.settings, stand_in="hang") as process:
        wait_for(lambda: "standing in" in run_row(store, run_id).stage, 60, "no start")
        children = process.children()
        process.send(signal.SIGTERM)
        told = store.settings.runs / str(run_id) / "told"
        wait_for(told.exists, 60, "the run was not told to stop")
        process.send(signal.SIGTERM)
        assert process.wait(60) == 1
    wait_for(lambda: not any(map(is_alive, children)), 60, "a child lives on")


@pytest.mark.soak
def test_a_run_paused_and_canceled_stays_canceled(store: Store, run_id: int) -> None:
    with worker(store.settings, stand_in="work") as process:
        wait_until_training(store, run_id)
        process.send(signal.SIGTERM)
        process.wait(60)
    assert cancel_run(store, run_id, store.owner()) == CANCELED
    with worker(store.settings, stand_in="work"):
        follower = submit_run(store, RunConfig(dataset="rows", budget="5"), store.owner())
        wait_until_training(store, follower)
    assert run_row(store, run_id).state == CANCELED


def test_canceled_after_its_worker_died(
    store: Store, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = WorkerProcess(store.settings, stand_in="work")
    wait_until_training(store, run_id)
    process.kill()
    process.close()
    monkeypatch.setattr("vecaf.store.workers.SILENT_SECONDS", 0.0)  # as if ten seconds had passed
    assert cancel_run(store, run_id, store.owner()) == CANCELED


@pytest.mark.soak
def test_a_second_worker_waits_and_takes_over(store: Store, run_id: int) -> None:
    first = WorkerProcess(store.settings, stand_in="hang")
    wait_for(lambda: "standing in" in run_row(store, run_id).stage, 60, "no start")
    with worker(store.settings, stand_in="work") as second:
        assert second.process.stderr is not None
        assert "this data folder. This worker takes over" in second.process.stderr.readline()
        first.kill()
        first.close()
        run = wait_until_ended(store, run_id, 60)
    assert (run.state, run.attempt, run.losses) == (FINISHED, 2, 1)
    assert "The process of the job was lost. The job resumes." in log_lines(store, run_id)


def test_a_worker_that_was_replaced_exits(store: Store) -> None:
    """Its lock is of no use on a network file system without locks."""
    with worker(store.settings) as process:
        wait_for(lambda: _alive(store), 60, "no heartbeat")
        with store.write() as session:
            register_worker(session, "another")
        assert process.wait(60) == 1


def test_a_worker_that_stops_does_not_think_it_was_replaced(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    exits: list[int] = []
    monkeypatch.setattr(worker_module, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr("os._exit", exits.append)
    engine: Any = SimpleNamespace(keeps_jobs=True, close=lambda: time.sleep(0.2))
    stop = threading.Event()
    stop.set()
    worker_module.serve(store, engine, stop)
    assert not exits


def test_sqlite_supports_one_machine(store: Store) -> None:
    moment = now()
    with store.write() as session:
        session.add(Worker(id="far:0:1", pid=1, host="far", started_at=moment, heartbeat_at=moment))
    with pytest.raises(UnavailableError, match=r"A worker on far already uses .*PostgreSQL"):
        worker_module.wait_for_lock(store, threading.Event())


def test_an_invalid_run_is_refused_when_it_is_submitted(store: Store, rows: str) -> None:
    user = store.owner()
    for config, complaint in [
        (RunConfig(dataset=rows, budget="41"), "only 40 labeled images can be selected"),
        (
            RunConfig(dataset=rows, budget="30"),
            "3 rounds need 90 labeled images, but only 40 images of the pool",
        ),
        (RunConfig(dataset=rows, budget="0"), "at least 1"),
        (RunConfig(dataset=rows, strategy="activefit"), "did you mean activeft"),
        (RunConfig(dataset=rows, mode="half"), "Choose one of"),
        (RunConfig(dataset="row"), "no dataset called 'row'"),
    ]:
        with pytest.raises(InputError, match=complaint):
            submit_run(store, config, user)
    with store.read() as session:
        assert queries.list_runs(session, user) == []


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"budget": "24", "rounds": 1}, "rows · vecaf · 24 images · seed 0"),
        ({"budget": "5%", "seed": 2}, "rows · vecaf · 3 × 5% · seed 2"),
        ({"target_words": "in fog"}, "rows · vecaf · “in fog” · 3 × 5% · seed 0"),
    ],
)
def test_a_run_is_named_after_its_main_settings(
    store: Store, rows: str, given: dict[str, object], name: str
) -> None:
    run_id = submit_run(store, RunConfig.from_dict({"dataset": rows, **given}), store.owner())
    assert run_row(store, run_id).name == name


@both_databases
def test_a_run_on_a_selection_of_the_longest_name_has_a_name_that_fits(
    store: Store, rows: str
) -> None:
    user = store.owner()
    with store.write() as session:
        dataset = dataset_named(session, user, rows)
        add_subset(session, user, dataset.id, "x" * 200, SELECTION, [1, 2, 5, 6])
    run_id = submit_run(store, RunConfig(dataset=rows, subset="x" * 200, rounds=1), user)
    assert run_row(store, run_id).name == ("rows · " + "x" * 200)[:200]


def test_a_stranger_can_neither_cancel_nor_resume(store: Store, run_id: int) -> None:
    for act in (cancel_run, resume_run):
        with pytest.raises(NotFoundError):
            act(store, run_id, store.owner() + 1)
    assert run_row(store, run_id).state == QUEUED
