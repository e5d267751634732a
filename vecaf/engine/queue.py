"""Submitting, canceling and resuming runs, imports and tasks, from any process.

Each is a row in the store, and its table is the queue: a row that is queued is taken by the next
free worker (`vecaf.store.jobs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vecaf.config import RunConfig
from vecaf.datasets.names import dataset_name
from vecaf.engine.paths import discard_import
from vecaf.errors import InputError
from vecaf.store import (
    CANCELED,
    FAILED,
    FINISHED,
    Dataset,
    Import,
    Run,
    Store,
    Task,
    changeable,
    check_model_files,
    dataset_named,
)
from vecaf.store.datasets import count_pool_by_class
from vecaf.store.imports import check_name_free
from vecaf.store.jobs import log_event, request_cancel, requeue
from vecaf.store.subsets import labeled_of, subset_named
from vecaf.store.tasks import find_task

MAX_NAME = 200  # characters of a run's name, as its column has them


def submit_run(store: Store, config: RunConfig, user_id: int) -> int:
    """Queue a run and return its id; it waits for a worker where none is alive.

    Raises InputError for a setting, strategy or budget that cannot be or that the dataset cannot
    serve, NotFoundError for the dataset, NotAllowedError where it is only shared with the user.
    """
    from vecaf.runs.plan import check_pool

    with store.write() as session:
        named = dataset_named(session, user_id, config.checked().dataset)
        dataset = changeable(session, user_id, Dataset, named.id)
        check_model_files(session, user_id, config.as_dict())
        given = None
        if config.subset:
            subset = subset_named(session, user_id, dataset.id, config.subset)
            given = labeled_of(session, subset)
            if not given:
                raise InputError(
                    f"No image of the selection '{config.subset}' has a label yet. Label them "
                    "first."
                )
        check_pool(config, dataset.classes, count_pool_by_class(session, dataset), given)
        run = Run(
            owner_id=user_id,
            dataset_id=dataset.id,
            name=_run_name(config, dataset.name),
            config=config.as_dict(),
            seed=config.seed,
        )
        session.add(run)
        session.flush()
        log_event(session, run, "Queued.")
        return run.id


def submit_import(store: Store, source: str | Path, name: str, user_id: int) -> int:
    """Queue an import and return its id.

    `source` is an archive or a folder, or a name such as "demo:color" or "torchvision:CIFAR10"
    (see `vecaf.datasets.sources`). An archive under `settings.uploads` is the studio's own and is
    deleted when the import ends, whichever way. Raises InputError if the name is taken or no name
    at all, or there is no such source; UnavailableError for a folder where none is allowed.
    """
    from vecaf.datasets.sources import checked_source

    name = dataset_name(name)
    source = checked_source(source, store.settings)
    with store.write() as session:
        check_name_free(session, user_id, name)
        job = Import(owner_id=user_id, name=name, source=source)
        session.add(job)
        session.flush()
        return job.id


def submit_task(
    store: Store,
    kind: str,
    dataset_id: int,
    params: Mapping[str, Any],
    user_id: int,
    *,
    again: bool = False,
) -> int:
    """Queue a task (a function of `vecaf.tasks`) on a dataset and return its id.

    Where the same task with the same `params` is queued, running or finished, its id is returned
    and nothing is queued: params therefore hold whatever the result depends on, such as the
    dataset's revision. `again` queues it all the same. Raises InputError for a kind that does not
    exist or wrong parameters, NotFoundError for the dataset, NotAllowedError where it is only
    shared with the user.
    """
    from vecaf.tasks import check_params

    check_params(kind, params)
    with store.write() as session:
        found = None if again else find_task(session, user_id, dataset_id, kind, params)
        if found is not None:
            return found.id
        changeable(session, user_id, Dataset, dataset_id)
        check_model_files(session, user_id, params)
        task = Task(owner_id=user_id, dataset_id=dataset_id, kind=kind, params=dict(params))
        session.add(task)
        session.flush()
        return task.id


def cancel_task(store: Store, task_id: int, user_id: int) -> str:
    """Cancel a task and return its state, as `cancel_run`."""
    with store.write() as session:
        task = changeable(session, user_id, Task, task_id)
        return request_cancel(session, task)


def cancel_run(store: Store, run_id: int, user_id: int) -> str:
    """Cancel a run and return its state after the call.

    A queued run is canceled at once; a running one within seconds, by its worker ("running" is
    returned until then); an ended one is left as it is. Raises NotFoundError.
    """
    with store.write() as session:
        run = changeable(session, user_id, Run, run_id)
        return request_cancel(session, run)


def cancel_import(store: Store, import_id: int, user_id: int) -> str:
    """Cancel an import and return its state, as `cancel_run`; nothing of it is left behind."""
    with store.write() as session:
        job = changeable(session, user_id, Import, import_id)
        state = request_cancel(session, job)
    if state == CANCELED:
        discard_import(store.settings, import_id, job.source, keep_log=False)
    return state


def resume_run(store: Store, run_id: int, user_id: int) -> None:
    """Queue a canceled or failed run again; it goes on from what it had finished.

    Raises InputError if it is finished or under way, NotFoundError.
    """
    with store.write() as session:
        run = changeable(session, user_id, Run, run_id)
        if run.state == FINISHED:
            raise InputError(f"Run {run_id} has finished; there is nothing left to resume.")
        if run.state not in (CANCELED, FAILED):
            doing = "being canceled; wait a moment" if run.cancel_requested else f"{run.state} now"
            raise InputError(f"Run {run_id} is {doing}.")
        requeue(session, run)


def _run_name(config: RunConfig, dataset: str) -> str:
    if config.subset and config.rounds == 1:
        return f"{config.subset} of {dataset}"[:MAX_NAME]
    words = " ".join(config.target_words.split())
    told = f", “{words[:40]}”" if words else ""
    return f"{config.strategy} on {dataset}, {config.budget} × {config.rounds}{told}"[:MAX_NAME]
