"""Create a home with a dataset, a small finished run and finished tasks, without a worker."""

from __future__ import annotations

from pathlib import Path

from tests.homes import new_home
from tests.shapes import write_shapes
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.engine.child import do_run, do_task
from vecaf.engine.paths import folder_of
from vecaf.engine.queue import submit_run, submit_task
from vecaf.settings import Settings
from vecaf.store import RUNNING, Run, Store, Task
from vecaf.store.models import now

NAME = "shapes"
CONFIG = RunConfig(dataset=NAME, budget="6", rounds=2, epochs=4, batch_size=4)


def new_studio(home: Path, count: int = 90, name: str = NAME) -> Store:
    """Create a home with a dataset of `count` drawn shapes, and return its store."""
    given = {"VECAF_HOME": str(new_home(home)), "VECAF_DEVICE": "cpu"}
    settings = Settings.from_environment(given)
    write_shapes(home / "drawn", count)
    store = Store.open(settings)
    import_dataset(store, home / "drawn", name, user_id=store.owner())
    return store


def finish_run(store: Store, config: RunConfig = CONFIG) -> int:
    """Execute a run in this process, as a worker's child process would; return its id."""
    run_id = submit_run(store, config, store.owner())
    with store.write() as session:
        run = session.get_one(Run, run_id)
        run.state, run.attempt, run.started_at = RUNNING, 1, now()
    folder_of(store.settings, "run", run_id).mkdir(parents=True, exist_ok=True)
    do_run(store, run_id, 1, lambda: False)
    return run_id


def finish_task(store: Store, kind: str, dataset_id: int) -> int:
    """Execute a task in this process, as a worker's child process would; return its id."""
    task_id = submit_task(store, kind, dataset_id, {}, store.owner())
    with store.write() as session:
        task = session.get_one(Task, task_id)
        task.state, task.attempt, task.started_at = RUNNING, 1, now()
    folder_of(store.settings, "task", task_id).mkdir(parents=True, exist_ok=True)
    do_task(store, task_id, 1, lambda: False)
    return task_id
