"""A studio whose database is PostgreSQL does a real import, run and task."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.databases import Server, only_postgresql
from tests.engine.harness import (
    import_row,
    log_lines,
    run_row,
    wait_for,
    wait_until_ended,
    worker,
    write_images,
)
from tests.recorded import metrics_of
from vecaf.config import RunConfig
from vecaf.engine.queue import submit_import, submit_run, submit_task
from vecaf.store import ENDED, FINISHED, Store, Task
from vecaf.store.page_queries import dataset_card
from vecaf.store.runs import list_runs, rounds_of, selected_in_round


@pytest.mark.soak  # PostgreSQL's own statements have tests
@only_postgresql
def test_an_import_a_run_and_a_task(store: Store, tmp_path: Path) -> None:
    me = store.owner()
    folder = write_images(tmp_path / "shapes")
    archive = shutil.make_archive(str(folder), "zip", folder)
    imported = submit_import(store, archive, "shapes", me)
    with worker(store.settings):
        wait_for(lambda: import_row(store, imported).state in ENDED, 60, "import not ended")
        dataset_id = import_row(store, imported).dataset_id
        assert dataset_id is not None, import_row(store, imported).error
        config = RunConfig(dataset="shapes", budget="6", rounds=2, epochs=3)
        run_id = submit_run(store, config, me)
        task_id = submit_task(store, "embed", dataset_id, {}, me)
        run = wait_until_ended(store, run_id, 120)
        assert (run.state, run.error, run.attempt) == (FINISHED, None, 1), log_lines(store, run_id)
        wait_for(lambda: task(store, task_id).state in ENDED, 60, "task not ended")
        assert task(store, task_id).state == FINISHED, task(store, task_id).error
    with store.read() as session:
        assert dataset_card(session, me, dataset_id) is not None
        assert [one.labeled for one in rounds_of(session, me, run_id)] == [6, 12]
        assert len(selected_in_round(session, me, run_id, 2)) == 6
        assert metrics_of(session, run_id)
        (summary,) = list_runs(session, me)
        assert summary.test_accuracy is not None
    assert not (store.settings.home / "studio.db").exists()
    assert run_row(store, run_id).worker is None


def task(store: Store, task_id: int) -> Task:
    with store.read() as session:
        return session.get_one(Task, task_id)


@pytest.mark.soak
@only_postgresql
def test_a_run_survives_a_restart_of_the_database(
    store: Store, run_id: int, postgresql: Server
) -> None:
    with worker(store.settings, stand_in="work"):
        wait_for(lambda: "training" in run_row(store, run_id).stage, 60, "the run did not start")
        postgresql.restart(after=1.0)
        run = wait_until_ended(store, run_id, 60)
    assert (run.state, run.error) == (FINISHED, None)
    assert run.crashes <= 1
    with store.read() as session:
        assert len(metrics_of(session, run_id)) == 40
