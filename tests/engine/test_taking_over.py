"""A worker or child that is lost or stale: its job resumes, and it writes nothing any more."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.databases import both_databases, only_postgresql
from tests.engine.harness import (
    WorkerProcess,
    is_alive,
    run_row,
    wait_for,
    wait_until_ended,
    worker,
    write_images,
)
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.engine.attempt import AttemptStore
from vecaf.engine.queue import submit_import, submit_run
from vecaf.store import FINISHED, RUNNING, Artifact, Dataset, Import, Metric, Round, Store
from vecaf.store.jobs import StaleAttemptError, start_attempt
from vecaf.store.runs import selected_in_round
from vecaf.store.sqlite import library


def rounds_recorded(store: Store, run_id: int) -> list[int]:
    with store.read() as session:
        return list(session.scalars(sa.select(Round.number).where(Round.run_id == run_id)))


def metric_count(store: Store, run_id: int) -> int:
    with store.read() as session:
        query = sa.select(sa.func.count()).where(Metric.run_id == run_id)
        return session.execute(query).scalar_one()


def files_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("step-*")}


@pytest.mark.soak  # test_contract.py has an outdated attempt, too
@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_a_stale_child_cannot_overwrite_its_successor(
    store: Store, run_id: int, database: str
) -> None:
    """Stop a child while its worker is killed and another one resumes the run; then continue it.

    On PostgreSQL the two are on different machines, so the successor cannot kill the stale child.
    On SQLite it does.
    """
    far = "far" if database else ""
    lost = WorkerProcess(store.settings, stand_in="stubborn", host=far)
    wait_for(lambda: rounds_recorded(store, run_id) == [1], 60, "no round was finished")
    (child,) = lost.children()
    stop_between_writes(store, child)
    lost.process.kill()
    lost.close()
    with worker(store.settings, stand_in="work"):
        run = wait_until_ended(store, run_id, 60)
        assert (run.state, run.attempt) == (FINISHED, 2)
        metrics, files = metric_count(store, run_id), files_of(folder(store, run_id))
        assert (metrics, files) == (40, {"step-1": "20", "step-2": "20"})
        assert is_alive(child) == bool(database)
        # A checkpoint or an end that it wrote would show here.
        for name in files:
            (folder(store, run_id) / name).write_text("the successor's")
        if is_alive(child):
            os.kill(child, signal.SIGCONT)
        wait_for(lambda: not is_alive(child), 60, "the stale child works on")
    after = run_row(store, run_id)
    assert (after.state, after.attempt, after.finished_at) == (FINISHED, 2, run.finished_at)
    assert metric_count(store, run_id) == metrics
    assert set(files_of(folder(store, run_id)).values()) == {"the successor's"}


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
        selected = [
            [one.sample_id for number in (1, 2, 3)
             for one, _ in selected_in_round(session, me, run, number)]
            for run in (calm, moved)
        ]  # fmt: skip
    assert selected[0] == selected[1] and len(selected[0]) == 18


def stop_between_writes(store: Store, pid: int) -> None:
    """Send SIGSTOP, but not during a write.

    In SQLite, a stopped write blocks all other writers. PostgreSQL ends the session of such a
    process, which then never learns that its attempt has ended.

    """
    while True:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.05)
        if not amid_a_write(store):
            return
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


@both_databases
def test_a_model_may_be_larger_than_an_integer_of_32_bits(store: Store, run_id: int) -> None:
    with store.write() as session:
        session.add(Artifact(run_id=run_id, kind="model", path="m", sha256="", bytes=4_540_000_000))
