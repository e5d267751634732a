"""Several workers on one queue: each job runs once, and jobs of a lost worker are reclaimed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.databases import both_databases, only_postgresql
from tests.engine.harness import (
    WorkerProcess,
    is_alive,
    log_lines,
    run_row,
    wait_for,
    wait_until_ended,
    worker,
    write_images,
)
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.engine.attempt import AttemptStore
from vecaf.engine.queue import cancel_run, submit_import, submit_run
from vecaf.engine.supervisor import Supervisor
from vecaf.engine.worker import renew
from vecaf.store import (
    CANCELED,
    FAILED,
    FINISHED,
    QUEUED,
    RUNNING,
    Artifact,
    Dataset,
    Import,
    Metric,
    Round,
    Run,
    Store,
    Worker,
)
from vecaf.store.jobs import (
    MAX_LOSSES,
    StaleAttemptError,
    claim_job,
    reclaim,
    record_worker_loss,
    start_attempt,
)
from vecaf.store.models import now
from vecaf.store.runs import selected_in_round
from vecaf.store.sqlite import library
from vecaf.store.workers import LeaseExpiredError, expire_leases, register_worker, renew_lease

JOBS = 100


def a_worker(store: Store, name: str) -> str:
    with store.write() as session:
        register_worker(session, f"{name}:0:1", f"{name}:0:")
    return f"{name}:0:1"


@both_databases
def test_two_workers_do_each_of_a_hundred_jobs_once(store: Store, rows: str) -> None:
    config = RunConfig(dataset=rows, budget="5")
    ids = [submit_run(store, config, store.owner()) for _ in range(JOBS)]
    with worker(store.settings, stand_in="instant"), worker(store.settings, stand_in="instant"):
        wait_for(lambda: set(states(store)) == {FINISHED}, 60, f"not all ended: {states(store)}")
    lines = [line.split() for line in (store.settings.home / "done.txt").read_text().splitlines()]
    assert sorted(int(line[1]) for line in lines) == ids
    assert {line[2] for line in lines} == {"1"}  # no job was attempted twice
    shares = Counter(line[3] for line in lines)
    assert len(shares) == 2 and min(shares.values()) > JOBS // 10, shares


def states(store: Store) -> Counter[str]:
    with store.read() as session:
        return Counter(session.scalars(sa.select(Run.state)))


@pytest.mark.soak
@both_databases
def test_two_workers_do_a_hundred_runs_once_in_real_processes(store: Store, rows: str) -> None:
    config = RunConfig(dataset=rows, budget="5")
    ids = [submit_run(store, config, store.owner()) for _ in range(JOBS)]
    with worker(store.settings, stand_in="quick"), worker(store.settings, stand_in="quick"):
        wait_for(lambda: set(states(store)) == {FINISHED}, 900, f"not all ended: {states(store)}")
    for run_id in ids:
        log = (folder(store, run_id) / "log.txt").read_text()
        assert log.count(f"run {run_id}, attempt 1, process") == log.count("process") == 1
        assert log_lines(store, run_id) == ["Queued.", "Started.", "Finished."]


@both_databases
def test_only_one_of_many_workers_claims_a_job(store: Store, run_id: int) -> None:
    names = [a_worker(store, f"host{number}") for number in range(4)]
    ready, taken = threading.Barrier(4), list[tuple[int, int] | None]()

    def ask(name: str) -> None:
        ready.wait()
        with store.write(exclusive=False) as session:
            found = claim_job(session, "run", name)
            time.sleep(0.05)
        taken.append(found)

    threads = [threading.Thread(target=ask, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=str) == [(run_id, 1), None, None, None]


@pytest.mark.parametrize(
    "database", [pytest.param("sqlite", marks=pytest.mark.soak), "postgresql"], indirect=True
)
def test_a_job_that_always_crashes_fails_and_the_next_one_runs(
    store: Store, run_id: int, rows: str
) -> None:
    second = submit_run(store, RunConfig(dataset=rows, budget="5"), store.owner())
    with worker(store.settings, stand_in="crash the first"):
        run = wait_until_ended(store, run_id, 60)
        assert (run.state, run.attempt, run.crashes) == (FAILED, 3, 3)
        assert run.error is not None
        assert "SIGSEGV" in run.error
        assert "Tried 3 times" in run.error
        assert str(store.settings.home) not in run.error
        assert wait_until_ended(store, second, 60).state == FINISHED


@only_postgresql  # on SQLite: test_kill_nine_loses_nothing, and the next test
def test_the_run_of_a_killed_worker_is_reclaimed_when_its_lease_expires(
    store: Store, run_id: int
) -> None:
    first = WorkerProcess(store.settings, stand_in="work")
    wait_for(lambda: rounds_recorded(store, run_id) == [1], 60, "no round was finished")
    with worker(store.settings, stand_in="work"):
        first.kill()
        first.close()
        run = wait_until_ended(store, run_id, 60)
    assert (run.state, run.attempt, run.losses) == (FINISHED, 2, 1)
    assert rounds_recorded(store, run_id) == [1, 2]
    assert metric_count(store, run_id) == 40
    assert any("The worker was lost" in line for line in log_lines(store, run_id))


def rounds_recorded(store: Store, run_id: int) -> list[int]:
    with store.read() as session:
        return list(session.scalars(sa.select(Round.number).where(Round.run_id == run_id)))


def metric_count(store: Store, run_id: int) -> int:
    with store.read() as session:
        query = sa.select(sa.func.count()).where(Metric.run_id == run_id)
        return session.execute(query).scalar_one()


def files_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("step-*")}


@pytest.mark.parametrize(
    "database", [pytest.param("sqlite", marks=pytest.mark.soak), "postgresql"], indirect=True
)
def test_a_worker_with_an_expired_lease_cannot_overwrite_its_successor(
    store: Store, run_id: int, database: str
) -> None:
    """Stop a worker until its lease expires and another one takes over; then continue it.

    On PostgreSQL the two are on different machines, so the successor cannot kill the stale child.
    On SQLite it does.

    """
    far = "far" if database else ""
    stale = WorkerProcess(store.settings, stand_in="stubborn", host=far)
    try:
        wait_for(lambda: rounds_recorded(store, run_id) == [1], 60, "no round was finished")
        (child,) = stale.children()
        stopped = [stale.process.pid, child]
        stop_between_writes(store, stopped)
        with worker(store.settings, stand_in="work"):
            run = wait_until_ended(store, run_id, 60)
            assert (run.state, run.attempt) == (FINISHED, 2)
            metrics, files = metric_count(store, run_id), files_of(folder(store, run_id))
            assert (metrics, files) == (40, {"step-1": "20", "step-2": "20"})
            assert is_alive(child) == bool(database)
            # A checkpoint or an end that it wrote would show here.
            for name in files:
                (folder(store, run_id) / name).write_text("the successor's")
            # Continue the child first: its worker could end it before it tries to write.
            if is_alive(child):
                os.kill(child, signal.SIGCONT)
            wait_for(lambda: not is_alive(child), 60, "the stale child works on")
            stale.send(signal.SIGCONT)
        after = run_row(store, run_id)
        assert (after.state, after.attempt, after.finished_at) == (FINISHED, 2, run.finished_at)
        assert metric_count(store, run_id) == metrics
        assert set(files_of(folder(store, run_id)).values()) == {"the successor's"}
        if database:
            log = (folder(store, run_id) / "log.txt").read_text()
            assert f"Attempt 1 of run {run_id} has ended. Its last writes were discarded" in log
        # It restarts under another id and processes jobs again.
        second = submit_run(store, RunConfig(dataset="rows", budget="5", rounds=1), store.owner())
        assert wait_until_ended(store, second, 60).state == FINISHED
    finally:
        stale.send(signal.SIGCONT)
        stale.close()


@pytest.mark.soak
@only_postgresql
@pytest.mark.parametrize("mode", ["head-only", "full"])
def test_a_run_that_changes_workers_has_the_same_result(
    store: Store, tmp_path: Path, mode: str
) -> None:
    import_dataset(store, write_images(tmp_path / "pictures"), "pictures")
    me = store.owner()
    config = RunConfig(dataset="pictures", budget="6", rounds=3, epochs=6, mode=mode, batch_size=4)
    calm = submit_run(store, config, me)
    with worker(store.settings, stand_in="real", host="first"):
        assert wait_until_ended(store, calm, 120).state == FINISHED
    moved = submit_run(store, config, me)
    first = WorkerProcess(store.settings, stand_in="real", host="first")
    try:
        wait_for(lambda: 1 in rounds_recorded(store, moved), 60, "no round was finished")
        with worker(store.settings, stand_in="real", host="second"):
            first.kill()
            run = wait_until_ended(store, moved, 120)
    finally:
        first.close()
    assert (run.state, run.attempt, run.losses) == (FINISHED, 2, 1)
    models = [folder(store, run) / "model" / "model.safetensors" for run in (calm, moved)]
    assert models[0].read_bytes() == models[1].read_bytes()
    with store.read() as session:
        picks = [
            [pick.sample_id for number in (1, 2, 3)
             for pick, _ in selected_in_round(session, me, run, number)]
            for run in (calm, moved)
        ]  # fmt: skip
    assert picks[0] == picks[1] and len(picks[0]) == 18


def stop_between_writes(store: Store, pids: list[int]) -> None:
    """Send SIGSTOP, but not during a write.

    In SQLite, a stopped write blocks all other writers. PostgreSQL ends the session of such a
    process, which then never learns that its attempt has ended.

    """
    while True:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(0.05)
        if not amid_a_write(store):
            return
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.013)


def amid_a_write(store: Store) -> bool:
    """Return whether another process has an open transaction."""
    file = store.settings.home / "studio.db"
    if file.exists():
        with closing(library.connect(file, timeout=0.1, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except library.OperationalError:
                return True
            return False
    begun = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state LIKE 'idle in transaction%'"
    )
    with store.read() as session:
        return bool(session.execute(begun).scalar_one())


def folder(store: Store, run_id: int) -> Path:
    return store.settings.runs / str(run_id)


@both_databases
def test_a_worker_with_an_expired_lease_gets_no_job(store: Store, run_id: int) -> None:
    lost, other = a_worker(store, "one"), a_worker(store, "two")
    with store.write() as session:
        assert claim_job(session, "run", lost) == (run_id, 1)
        session.get_one(Worker, lost).heartbeat_at = now().replace(year=2000)
    with store.write() as session:
        expire_leases(session)
        assert reclaim(session) == []
    with pytest.raises(LeaseExpiredError, match="has expired"), store.write() as session:
        renew_lease(session, lost)
    with pytest.raises(LeaseExpiredError, match="has expired"), store.write() as session:
        claim_job(session, "run", lost)
    with store.write() as session:
        session.get_one(Worker, other).heartbeat_at -= timedelta(seconds=60)
    with store.write() as session:
        assert (
            60 <= renew_lease(session, other) < 70
        )  # its machine slept, so it waits for other workers to wake up
        assert renew_lease(session, other) < 10
        assert claim_job(session, "run", other) == (run_id, 2)


@both_databases
def test_a_job_ends_after_it_lost_too_many_workers(store: Store, run_id: int) -> None:
    with store.write() as session:
        start_attempt(session, "run", run_id, "nobody")
        session.get_one(Run, run_id).losses = MAX_LOSSES - 1
        (ended,) = reclaim(session)
        assert (ended.id, ended.state) == (run_id, FAILED)


@both_databases
def test_a_cancel_ends_a_run_whose_worker_is_lost_while_others_are_alive(
    store: Store, run_id: int
) -> None:
    a_worker(store, "alive")
    with store.write() as session:
        start_attempt(session, "run", run_id, "dead:0:1")
    assert cancel_run(store, run_id, store.owner()) == CANCELED
    with store.write() as session:
        run = session.get_one(Run, run_id)
        assert run.attempt == 2  # the lost worker cannot write any more


@both_databases
def test_a_stale_import_registers_nothing(store: Store, tmp_path: Path) -> None:
    pictures = write_images(tmp_path / "pictures", classes=1, each=3)
    job = submit_import(store, pictures, "pictures", store.owner())
    with store.write() as session:
        assert start_attempt(session, "import", job, "one") == 1
    stale = AttemptStore(store.settings, "import", job, 1)
    with store.write() as session:
        assert start_attempt(session, "import", job, "two") == 2
        assert session.get_one(Import, job).state == RUNNING
    with pytest.raises(StaleAttemptError):
        import_dataset(stale, pictures, "pictures", user_id=store.owner(), import_id=job)
    with store.read() as session:
        assert session.scalars(sa.select(Dataset.name)).all() == []
    assert not [path for path in store.settings.images.rglob("*.png") if path.is_file()]
    current = AttemptStore(store.settings, "import", job, 2)
    made = import_dataset(current, pictures, "pictures", import_id=job)
    with store.read() as session:
        assert session.get_one(Import, job).dataset_id == made.dataset_id


@only_postgresql
def test_leases_use_the_clock_of_the_database(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong clock on a machine expires neither its own lease nor those of other machines."""
    name = a_worker(store, "one")
    monkeypatch.setattr("vecaf.store.workers.now", lambda: now().replace(year=2000))
    with store.write() as session:
        expire_leases(session)
        renew_lease(session, name)


@both_databases
def test_a_worker_that_was_late_itself_expires_no_leases(store: Store, run_id: int) -> None:
    """A long write can block all of them for longer than a lease."""
    live, slow = a_worker(store, "one"), a_worker(store, "two")

    def silent(name: str, seconds: int) -> None:
        session.get_one(Worker, name).heartbeat_at -= timedelta(seconds=seconds)

    with store.write() as session:
        assert claim_job(session, "run", live) == (run_id, 1)
        silent(live, 20)
        silent(slow, 20)
    assert renew(store, slow, reclaiming=True) == []
    with store.write() as session:
        renew_lease(session, live)
        silent(live, 20)
    assert renew(store, slow, reclaiming=True) == []
    with pytest.raises(LeaseExpiredError), store.write() as session:
        renew_lease(session, live)


@both_databases
def test_a_run_survives_repeated_loss_of_the_database(store: Store, run_id: int) -> None:
    a_worker(store, "one")
    for attempt in range(1, 7):
        with store.write() as session:
            assert claim_job(session, "run", "one:0:1") == (run_id, attempt)
        Supervisor(store)._record_end(
            "run", run_id, attempt, "The database was away.", record_worker_loss
        )
    run = run_row(store, run_id)
    assert (run.state, run.crashes, run.losses) == (QUEUED, 0, 6)


@both_databases
def test_a_model_may_be_larger_than_an_integer_of_32_bits(store: Store, run_id: int) -> None:
    with store.write() as session:
        session.add(Artifact(run_id=run_id, kind="model", path="m", sha256="", bytes=4_540_000_000))
