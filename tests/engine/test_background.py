"""Background tasks: a new dataset is embedded while no other job needs the machine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.databases import both_databases
from tests.engine.harness import wait_for, worker, write_images
from tests.engine.test_tasks import counting, ended, row
from vecaf.config import RunConfig
from vecaf.datasets.pool import load_samples
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.embed import count_missing
from vecaf.engine.queue import cancel_task, submit_import, submit_run, submit_task
from vecaf.store import CANCELED, FINISHED, QUEUED, RUNNING, Dataset, Run, Store, Task
from vecaf.store.background import active_embeddings, queue_embedding
from vecaf.store.datasets import delete_dataset_rows
from vecaf.store.jobs import Kind, end_job, next_queued, start_attempt
from vecaf.tasks import TASKS


def queued_embedding(store: Store, dataset_id: int) -> int:
    with store.write() as session:
        queue_embedding(session, dataset_id)
    return embedding(store).id


def embedding(store: Store) -> Task:
    with store.read() as session:
        return session.scalars(sa.select(Task).where(Task.kind == "embed")).one()


def has_embedding(store: Store) -> bool:
    with store.read() as session:
        return session.scalar(sa.select(Task.id).where(Task.kind == "embed")) is not None


def test_an_import_embeds_its_dataset(store: Store, tmp_path: Path) -> None:
    on = Store(replace(store.settings, embed_on_import=True))
    submit_import(on, write_images(tmp_path / "shapes", each=4), "shapes", on.owner())
    with worker(on.settings):
        wait_for(lambda: has_embedding(on), 60, "the import queued no embedding")
        assert ended(on, embedding(on).id).result == {"images": 12}
    with on.read() as session:
        dataset = session.scalars(sa.select(Dataset)).one()
        samples = load_samples(session, dataset, on.settings.images)
    assert count_missing(pvm_for(RunConfig(), samples), samples.keys, on.settings) == 0


@both_databases
def test_every_other_job_starts_first(store: Store, rows: str, dataset_id: int) -> None:
    me = store.owner()
    background = queued_embedding(store, dataset_id)
    task = submit_task(store, "map", dataset_id, {}, me)
    run = submit_run(store, RunConfig(dataset=rows, budget="5"), me)
    with store.write() as session:
        assert next_id(session, "task") == task
        start_attempt(session, "task", task, "w")
        assert next_id(session, "task") is None  # the map is running
        end_job(session, session.get_one(Task, task), FINISHED)
        assert next_id(session, "task") is None  # the run is queued
        start_attempt(session, "run", run, "w")
        assert next_id(session, "task") is None  # the run is running
        end_job(session, session.get_one(Run, run), FINISHED)
        assert next_id(session, "task") == background


def next_id(session: Session, kind: Kind) -> int | None:
    job = next_queued(session, kind)
    return None if job is None else job.id


@pytest.mark.soak
def test_it_yields_to_a_task_and_starts_again_at_low_priority(
    store: Store, dataset_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TASKS, "_entries", {**TASKS._entries, "counting": counting})
    me = store.owner()
    background = queued_embedding(store, dataset_id)
    with worker(store.settings, stand_in="task") as process:
        wait_for(lambda: row(store, background).done > 0, 60, "it has not started")
        (child,) = process.children()
        assert os.getpriority(os.PRIO_PROCESS, child) == 19
        task = submit_task(store, "counting", dataset_id, {"upto": 2}, me)
        assert ended(store, task).state == FINISHED
        wait_for(lambda: row(store, background).attempt == 2, 60, "it did not start again")
        wait_for(lambda: row(store, background).state == RUNNING, 60, "it did not start again")
        assert row(store, background).crashes == 0
        cancel_task(store, background, me)
        assert ended(store, background).state == CANCELED


def test_it_leaves_the_standby_process_to_other_tasks(store: Store, dataset_id: int) -> None:
    with worker(store.settings, stand_in="task", standby=True) as process:
        wait_for(lambda: len(process.children()) == 1, 20, "no process stands by")
        background = queued_embedding(store, dataset_id)
        wait_for(lambda: row(store, background).state == RUNNING, 60, "it has not started")
        assert len(process.children()) == 2


def test_its_dataset_can_be_deleted(store: Store, dataset_id: int) -> None:
    queued_embedding(store, dataset_id)
    with store.read() as session:
        ((task, name),) = active_embeddings(session, store.owner())
    assert (task.state, name) == (QUEUED, "rows")
    with store.write() as session:
        delete_dataset_rows(session, store.owner(), dataset_id)
    assert not has_embedding(store)
