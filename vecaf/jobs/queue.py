"""Submitting, canceling and resuming runs, imports and tasks, from any process.

The row in the store is the truth; the queue (DBOS, in a database of its own) is what makes some
worker carry it out. Between the two writes a crash can fall, and there may be no queue yet. So the
row comes first, its workflow's name follows from it, and `reconcile`, which every worker calls now
and then, enqueues what is missing: doing so twice does nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vecaf.config import RunConfig
from vecaf.datasets.names import dataset_name
from vecaf.errors import InputError
from vecaf.jobs.places import discard_import
from vecaf.settings import Settings
from vecaf.store import (
    CANCELED,
    FAILED,
    FINISHED,
    QUEUED,
    Import,
    Run,
    Store,
    Task,
    dataset_named,
    visible,
)
from vecaf.store.datasets import pool_by_class
from vecaf.store.imports import check_name_free
from vecaf.store.jobs import Kind, give_up, note, request_cancel, unfinished
from vecaf.store.subsets import labeled_of, subset_named
from vecaf.store.tasks import find_task
from vecaf.store.workers import worker_alive

if TYPE_CHECKING:
    from dbos import DBOSClient

APPLICATION = "vecaf"
WORKFLOW = "job"
VERSION = "1"
"""Of the workflow's steps, not of the program: workflows of another version are left alone."""
QUEUES: dict[Kind, str] = {"run": "runs", "import": "imports", "task": "tasks"}

logger = logging.getLogger(__name__)


def submit_run(store: Store, config: RunConfig, user_id: int) -> int:
    """Queue a run and return its id; it waits for a worker where none is alive.

    Raises InputError for a setting, strategy or budget that cannot be or that the dataset cannot
    serve, NotFoundError for the dataset.
    """
    from vecaf.plan import check_pool

    with store.write() as session:
        dataset = dataset_named(session, user_id, config.checked().dataset)
        given = None
        if config.subset:
            subset = subset_named(session, user_id, dataset.id, config.subset)
            given = labeled_of(session, subset)
            if not given:
                raise InputError(
                    f"No image of the selection '{config.subset}' has a label yet. Label them "
                    "first."
                )
        check_pool(config, dataset.classes, pool_by_class(session, dataset), given)
        run = Run(
            owner_id=user_id,
            dataset_id=dataset.id,
            name=_run_name(config, dataset.name),
            config=config.as_dict(),
            seed=config.seed,
        )
        session.add(run)
        session.flush()
        note(session, run, "Queued.")
        run_id, submission = run.id, run.submission
    enqueue(store.settings, [("run", run_id, submission)])
    return run_id


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
        import_id, submission = job.id, job.submission
    enqueue(store.settings, [("import", import_id, submission)])
    return import_id


def submit_task(
    store: Store, kind: str, dataset_id: int, params: Mapping[str, Any], user_id: int
) -> int:
    """Queue a task (a function of `vecaf.tasks`) on a dataset and return its id.

    Where the same task with the same `params` is queued, running or finished, its id is returned
    and nothing is queued: params therefore hold whatever the result depends on, such as the
    dataset's revision. Raises InputError for a kind that does not exist or wrong parameters,
    NotFoundError for the dataset.
    """
    from vecaf.tasks import check_params

    check_params(kind, params)
    with store.write() as session:
        found = find_task(session, user_id, dataset_id, kind, params)
        if found is not None:
            return found.id
        task = Task(owner_id=user_id, dataset_id=dataset_id, kind=kind, params=dict(params))
        session.add(task)
        session.flush()
        task_id, submission = task.id, task.submission
    enqueue(store.settings, [("task", task_id, submission)])
    return task_id


def cancel_task(store: Store, task_id: int, user_id: int) -> str:
    """Cancel a task and return its state, as `cancel_run`."""
    with store.write() as session:
        task = visible(session, user_id, Task, task_id)
        return request_cancel(session, task, worker_alive=worker_alive(session))


def cancel_run(store: Store, run_id: int, user_id: int) -> str:
    """Cancel a run and return its state after the call.

    A queued run is canceled at once; a running one within seconds, by its worker ("running" is
    returned until then); an ended one is left as it is. Raises NotFoundError.
    """
    with store.write() as session:
        run = visible(session, user_id, Run, run_id)
        return request_cancel(session, run, worker_alive=worker_alive(session))


def cancel_import(store: Store, import_id: int, user_id: int) -> str:
    """Cancel an import and return its state, as `cancel_run`; nothing of it is left behind."""
    with store.write() as session:
        job = visible(session, user_id, Import, import_id)
        state = request_cancel(session, job, worker_alive=worker_alive(session))
    if state == CANCELED:
        discard_import(store.settings, import_id, job.source, keep_log=False)
    return state


def resume_run(store: Store, run_id: int, user_id: int) -> None:
    """Queue a canceled or failed run again; it goes on from what it had finished.

    Raises InputError if it is finished or under way, NotFoundError.
    """
    with store.write() as session:
        run = visible(session, user_id, Run, run_id)
        if run.state == FINISHED:
            raise InputError(f"Run {run_id} has finished; there is nothing left to resume.")
        if run.state not in (CANCELED, FAILED):
            doing = "being canceled; wait a moment" if run.cancel_requested else f"{run.state} now"
            raise InputError(f"Run {run_id} is {doing}.")
        run.state, run.stage, run.error, run.finished_at = QUEUED, "", None, None
        run.cancel_requested = False
        run.submission += 1
        note(session, run, "Queued again.")
        submission = run.submission
    enqueue(store.settings, [("run", run_id, submission)])


def _run_name(config: RunConfig, dataset: str) -> str:
    if config.subset and config.rounds == 1:
        return f"{config.subset} of {dataset}"
    words = " ".join(config.target_words.split())
    told = f", “{words[:40]}”" if words else ""
    return f"{config.strategy} on {dataset}, {config.budget} × {config.rounds}{told}"[:200]


def queue_url(settings: Settings) -> str:
    """Where the queue lives: beside the store's tables on PostgreSQL, else in a file of its own."""
    if settings.database_url.startswith("sqlite"):
        return f"sqlite:///{settings.home / 'queue.db'}"
    return settings.database_url


def workflow_id(kind: Kind, job_id: int, submission: int) -> str:
    """The workflow of one submission of a job."""
    return f"{kind}-{job_id}-{submission}"


def enqueue(settings: Settings, jobs: list[tuple[Kind, int, int]]) -> None:
    """Put (kind, id, submission) jobs on the queue, each once however often this is called.

    A queue out of reach (no worker has made it yet, or it is locked) is no error: the rows are
    safe, and a worker that starts or sweeps enqueues them.
    """
    path = settings.home / "queue.db"
    if queue_url(settings).startswith("sqlite") and not path.exists():
        return
    from dbos import error as dbos_error

    try:
        with client(settings) as queue:
            _enqueue(queue, jobs)
    except (sa.exc.SQLAlchemyError, dbos_error.DBOSException) as error:
        logger.info("left %s to the worker's sweep: %s", jobs, error)


def reconcile(store: Store) -> None:
    """Enqueue jobs that are queued in the store only; end those that the queue has given up.

    The second kind is left by a workflow that failed or was retried too often, which a full disk
    or a machine that keeps going down may bring about.
    """
    with store.read() as session:
        jobs = {workflow_id(*job): job for job in unfinished(session)}
    if not jobs:
        return
    with client(store.settings) as queue:
        found = queue.list_workflows(workflow_ids=list(jobs), load_input=False, load_output=False)
        status = {workflow.workflow_id: workflow.status for workflow in found}
        _enqueue(queue, [job for name, job in jobs.items() if name not in status])
    for name, job in jobs.items():
        if status.get(name, "PENDING") not in ("PENDING", "ENQUEUED", "DELAYED"):
            with store.write() as session:
                give_up(session, *job, "It was started many times and never came to an end.")


@contextmanager
def client(settings: Settings) -> Iterator[DBOSClient]:
    """The queue as seen from outside a worker."""
    from dbos import DBOSClient, DBOSPortableJSONSerializer

    queue = DBOSClient(
        system_database_url=queue_url(settings),
        serializer=DBOSPortableJSONSerializer(),
        application_name=APPLICATION,
        retry_connection_errors=False,
    )
    try:
        yield queue
    finally:
        queue.destroy()


def _enqueue(queue: DBOSClient, jobs: list[tuple[Kind, int, int]]) -> None:
    for kind, job_id, submission in jobs:
        queue.enqueue(
            {
                "workflow_name": WORKFLOW,
                "queue_name": QUEUES[kind],
                "workflow_id": workflow_id(kind, job_id, submission),
                "app_version": VERSION,
            },
            kind,
            job_id,
            submission,
        )
