"""The dispatcher between the database and an engine of the test, whose processes are rows."""

from __future__ import annotations

import pytest

from tests.databases import both_databases
from tests.engine.harness import log_lines, run_row
from vecaf.config import RunConfig
from vecaf.engine.dispatcher import Dispatcher
from vecaf.engine.protocol import Attempt, Exited, Resources, Running, Status, Waiting
from vecaf.engine.queue import cancel_run, resume_run, submit_run
from vecaf.store import CANCELED, FAILED, FINISHED, QUEUED, RUNNING, Run, Store
from vecaf.store.jobs import IN_QUEUE, MAX_LOSSES, Kind, end_job, lock_attempt, start_attempt
from vecaf.store.workers import register_worker

JOBS = 30


class FakeEngine:
    """An engine without processes: the test says how they are."""

    keeps_jobs = False
    poll_seconds = 0.0

    def __init__(self, slots: int = 1) -> None:
        self.slots, self.why = slots, IN_QUEUE
        self.attempts: dict[Attempt, Status] = {}
        self.started: list[Attempt] = []
        self.stopped: list[Attempt] = []

    def refresh(self) -> None: ...

    def live(self) -> set[Attempt]:
        return set(self.attempts)

    def obstacle(self, kind: Kind, resources: Resources) -> str | None:
        return self.why if len(self.attempts) >= self.slots else None

    def start(self, attempt: Attempt, resources: Resources, *, prepared: bool) -> None:
        self.started.append(attempt)
        self.attempts[attempt] = Running()

    def status(self, attempt: Attempt) -> Status:
        return self.attempts[attempt]

    def stop(self, attempt: Attempt, grace: float) -> None:
        self.stopped.append(attempt)
        if attempt in self.attempts:
            self.attempts[attempt] = Exited("stopped")

    def forget(self, attempt: Attempt) -> None:
        del self.attempts[attempt]

    def idle(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def dispatcher(store: Store, engine: FakeEngine) -> Dispatcher:
    with store.write() as session:
        register_worker(session, "me")
    return Dispatcher(store, engine, "me")


def another(store: Store) -> int:
    return submit_run(store, RunConfig(dataset="rows", budget="5"), store.owner())


def finish(store: Store, engine: FakeEngine, attempt: Attempt) -> None:
    """Record the end as the process of the attempt does, and let it exit."""
    with store.write() as session:
        end_job(session, lock_attempt(session, *attempt), FINISHED)
    engine.attempts[attempt] = Exited("")


@both_databases
def test_many_jobs_are_done_once_and_in_order(
    store: Store, rows: str, dispatcher: Dispatcher, engine: FakeEngine
) -> None:
    ids = [another(store) for _ in range(JOBS)]
    engine.slots = 3
    while len(engine.started) < JOBS or engine.attempts:
        dispatcher.step()
        assert len(engine.attempts) <= 3
        finish(store, engine, next(iter(engine.attempts)))
        dispatcher.step()
        if len(engine.started) == JOBS:
            for attempt in list(engine.attempts):
                finish(store, engine, attempt)
            dispatcher.step()
    assert engine.started == [Attempt("run", run_id, 1) for run_id in ids]
    assert {run_row(store, run_id).state for run_id in ids} == {FINISHED}
    assert not dispatcher.busy


@both_databases
def test_lost_jobs_are_queued_again_and_live_ones_are_adopted(
    store: Store, run_id: int, dispatcher: Dispatcher, engine: FakeEngine
) -> None:
    alive, canceled = another(store), another(store)
    with store.write() as session:
        for one in (run_id, alive, canceled):
            assert start_attempt(session, "run", one, "me") == 1
    cancel_run(store, canceled, store.owner())
    unknown = Attempt("run", 99, 1)
    engine.attempts = {Attempt("run", alive, 1): Running("node 2"), unknown: Running()}
    with store.write() as session:
        register_worker(session, "successor")
    successor = Dispatcher(store, engine, "successor")
    successor.reconcile()
    assert run_row(store, run_id).state == QUEUED
    assert "The process of the job was lost. The job resumes." in log_lines(store, run_id)
    assert run_row(store, canceled).state == CANCELED
    assert (run_row(store, alive).state, run_row(store, alive).worker) == (RUNNING, "successor")
    engine.slots = 9
    successor.step()
    assert engine.stopped == [unknown]
    assert run_row(store, alive).node == "node 2"
    assert engine.started == [Attempt("run", run_id, 2)]
    finish(store, engine, Attempt("run", alive, 1))
    successor.step()
    assert run_row(store, alive).node is None


def test_a_cancel_stops_the_attempt(
    store: Store, run_id: int, dispatcher: Dispatcher, engine: FakeEngine
) -> None:
    dispatcher.step()
    assert cancel_run(store, run_id, store.owner()) == RUNNING
    dispatcher.step()
    assert engine.stopped == [Attempt("run", run_id, 1)]
    dispatcher.step()
    assert run_row(store, run_id).state == CANCELED
    resume_run(store, run_id, store.owner())
    dispatcher.step()
    assert engine.started[1:] == [Attempt("run", run_id, 2)]


def test_a_deleted_job_is_stopped(
    store: Store, run_id: int, dispatcher: Dispatcher, engine: FakeEngine
) -> None:
    dispatcher.step()
    with store.write() as session:
        session.delete(session.get_one(Run, run_id))
    dispatcher.step()
    dispatcher.step()
    assert engine.stopped == [Attempt("run", run_id, 1)]
    assert not dispatcher.busy


def test_a_resumed_run_waits_until_its_last_process_has_exited(
    store: Store, run_id: int, dispatcher: Dispatcher, engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    engine.slots = 2
    dispatcher.step()
    monkeypatch.setattr("vecaf.store.workers.SILENT_SECONDS", 0.0)  # the worker seems to be dead
    assert cancel_run(store, run_id, store.owner()) == CANCELED
    resume_run(store, run_id, store.owner())
    dispatcher.step()
    assert engine.stopped == engine.started == [Attempt("run", run_id, 1)]
    dispatcher.step()
    assert engine.started[1:] == [Attempt("run", run_id, 3)]


def test_a_job_that_always_crashes_fails(
    store: Store, run_id: int, dispatcher: Dispatcher, engine: FakeEngine
) -> None:
    for number in (1, 2, 3):
        dispatcher.step()
        engine.attempts[Attempt("run", run_id, number)] = Exited("It crashed.")
    dispatcher.step()
    run = run_row(store, run_id)
    assert (run.state, run.error) == (FAILED, "It crashed. (Tried 3 times.)")


def test_a_run_survives_repeated_losses_but_not_too_many(
    store: Store, run_id: int, dispatcher: Dispatcher, engine: FakeEngine
) -> None:
    for number in range(1, 7):
        dispatcher.step()
        engine.attempts[Attempt("run", run_id, number)] = Exited(
            "The node was lost.", crashed=False
        )
    dispatcher.step()
    run = run_row(store, run_id)
    assert (run.state, run.crashes, run.losses) == (RUNNING, 0, 6)
    with store.write() as session:
        session.get_one(Run, run_id).losses = MAX_LOSSES - 1
    engine.attempts[Attempt("run", run_id, 7)] = Exited("Lost.", crashed=False)
    dispatcher.step()
    assert run_row(store, run_id).state == FAILED


def test_a_page_sees_why_a_job_waits(
    store: Store, run_id: int, dispatcher: Dispatcher, engine: FakeEngine
) -> None:
    follower = another(store)
    engine.why = "waiting for a GPU"
    dispatcher.step()
    dispatcher.step()
    assert run_row(store, follower).stage == "waiting for a GPU"
    engine.attempts[Attempt("run", run_id, 1)] = Waiting("waiting for a node")
    dispatcher.step()
    assert run_row(store, run_id).stage == "waiting for a node"
    engine.attempts[Attempt("run", run_id, 1)] = Running("node 1")
    dispatcher.step()
    assert (run_row(store, run_id).stage, run_row(store, run_id).node) == ("starting", "node 1")


def test_a_process_that_can_not_start_is_tried_again(
    store: Store, run_id: int, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FakeEngine, "start", full)
    for _ in range(3):
        dispatcher.step()
    run = run_row(store, run_id)
    assert run.state == FAILED and run.error is not None
    assert "could not start: No space left on device." in run.error
