"""Submit, cancel, and resume runs, imports, and tasks, from any process.

Each is a row in the store, and the queued rows are the queue: the next free worker claims the
oldest one (`vecaf.store.jobs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from vecaf.budget import parse_budget
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
from vecaf.wording import plural

MAX_NAME = 200  # characters, the size of the database column


def submit_run(store: Store, config: RunConfig, user_id: int) -> int:
    """Queue a run and return its id.

    Raises
    ------
    InputError
        A setting is invalid, or the dataset can't serve the run.
    NotFoundError
        The dataset does not exist.
    NotAllowedError
        The dataset is only shared with the user.
    """
    from vecaf.runs.run_checks import check_pool
    from vecaf.trackers import check_trackers

    check_trackers(config.trackers)
    with store.write() as session:
        named = dataset_named(session, user_id, config.checked().dataset)
        dataset = changeable(session, user_id, Dataset, named.id)
        check_model_files(session, user_id, config.as_dict())
        subset_size = None
        if config.subset:
            subset = subset_named(session, user_id, dataset.id, config.subset)
            subset_size = labeled_of(session, subset)
            if not subset_size:
                raise InputError(
                    f"No image of the selection '{config.subset}' has a label yet. Label its "
                    "images first."
                )
        check_target(session, user_id, config, dataset.id)
        check_pool(config, dataset.classes, count_pool_by_class(session, dataset), subset_size)
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


def check_target(session: Session, user_id: int, config: RunConfig, dataset_id: int) -> None:
    """Check that the user can read the dataset that a run adapts to, if it names one.

    Raises
    ------
    NotFoundError
        The user can read no such dataset.
    InputError
        It is the dataset of the run.
    """
    if config.adapt_to and dataset_named(session, user_id, config.adapt_to).id == dataset_id:
        raise InputError(
            "The target dataset and the dataset of the run are the same. Choose a dataset with "
            "images of another domain."
        )


def submit_import(store: Store, source: str | Path, name: str, user_id: int) -> int:
    """Queue an import and return its id.

    Parameters
    ----------
    source
        An archive, a folder, or a name such as "demo:color" or "torchvision:CIFAR10" (see
        `vecaf.datasets.sources`). An archive in `settings.uploads` is deleted when the import ends.
    name
        Name of the new dataset.

    Raises
    ------
    InputError
        The name is empty or already used, or the source does not exist.
    UnavailableError
        Importing from this folder is not allowed.
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

    If a task of the same kind with the same parameters is queued, running, or finished, its id is
    returned instead. So the parameters must include everything that the result depends on, such as
    the revision of the dataset.

    Parameters
    ----------
    again
        Queue the task even if there is an equal one.

    Raises
    ------
    InputError
        The kind does not exist or does not accept these parameters.
    NotFoundError
        The dataset does not exist.
    NotAllowedError
        The dataset is only shared with the user.
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
    """Cancel a task and return its state, see `cancel_run`."""
    with store.write() as session:
        task = changeable(session, user_id, Task, task_id)
        return request_cancel(session, task)


def cancel_run(store: Store, run_id: int, user_id: int) -> str:
    """Cancel a run and return its state after the call.

    A queued run is canceled at once. Its worker cancels a running run within seconds; until then
    its state is "running". Has no effect on a run that has ended. Raises NotFoundError.
    """
    with store.write() as session:
        run = changeable(session, user_id, Run, run_id)
        return request_cancel(session, run)


def cancel_import(store: Store, import_id: int, user_id: int) -> str:
    """Cancel an import, delete its files, and return its state, see `cancel_run`."""
    with store.write() as session:
        job = changeable(session, user_id, Import, import_id)
        state = request_cancel(session, job)
    if state == CANCELED:
        discard_import(store.settings, import_id, job.source, keep_log=False)
    return state


def resume_run(store: Store, run_id: int, user_id: int) -> None:
    """Queue a canceled or failed run again, to resume from its last checkpoint.

    Raises
    ------
    InputError
        The run is finished, queued, or running.
    NotFoundError
        The run does not exist.
    """
    with store.write() as session:
        run = changeable(session, user_id, Run, run_id)
        if run.state == FINISHED:
            raise InputError(f"Run {run_id} has finished, so it can't be resumed.")
        if run.state not in (CANCELED, FAILED):
            if run.cancel_requested:
                raise InputError(f"Run {run_id} is being canceled. Resume it in a moment.")
            raise InputError(f"Run {run_id} is already {run.state}.")
        requeue(session, run)


def _run_name(config: RunConfig, dataset: str) -> str:
    """Return 'photos · vecaf · 24 images · seed 0', or 'photos · NAME OF THE SELECTION'."""
    if config.subset and config.rounds == 1:
        return f"{dataset} · {config.subset}"[:MAX_NAME]
    budget = parse_budget(config.budget)
    images = f"{budget.amount:g}%" if budget.share else plural(int(budget.amount), "image")
    amount = images if config.rounds == 1 else f"{config.rounds} × {images}"
    words = " ".join(config.target_words.split())
    target = [f"“{words[:40]}”"] if words else []
    target += [f"to {config.adapt_to[:40]}"] if config.adapt_to else []
    parts = [dataset, config.strategy, *target, amount, f"seed {config.seed}"]
    return " · ".join(parts)[:MAX_NAME]
