"""The process that runs one attempt at a job: `python -m vecaf.engine.child KIND ID ATTEMPT`.

Without arguments it is a standby process that gets its job later (`vecaf.engine.standby`). A worker
starts it in its own process group and keeps its standard input open. The process records that the
job finished or failed; the worker records that it was canceled, paused, or crashed.

`vecaf.engine.attempt` lists the exit statuses; 1 means that nothing could be recorded.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa

from vecaf.engine.attempt import (
    ENDED_STATUS,
    LOST_PROCESS_STATUS,
    NO_DATABASE_STATUS,
    STALE_STATUS,
    STOPPED_STATUS,
    AttemptStore,
    LostProcessError,
)
from vecaf.engine.gpus import OWN_GPUS
from vecaf.engine.locks import FileLock
from vecaf.engine.paths import folder_of, lock_of, log_of
from vecaf.engine.process_setup import be_killed_first, exit_with_worker, lower_priority
from vecaf.engine.progress import Progress
from vecaf.engine.warmup import wait_for_assignment
from vecaf.engine.yielding import Yielding
from vecaf.errors import CanceledError, UnavailableError, VecafError
from vecaf.files import DISK_FULL, is_full
from vecaf.garbage_collection import collect_rarely
from vecaf.settings import Settings
from vecaf.store import FAILED, FINISHED, Import, Run, Store, Task
from vecaf.store.background import BACKGROUND_KINDS, queue_embedding
from vecaf.store.jobs import (
    Kind,
    StaleAttemptError,
    end_job,
    lock_attempt,
    requeue_paused,
)

ORPHAN_SECONDS = 5.0  # how long an earlier process of the job may take to exit

if TYPE_CHECKING:
    from vecaf.tasks import TaskContext

Work = Callable[[Store, int, int, Callable[[], bool]], None]

logger = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Run the attempt that the arguments name, and return the exit status."""
    kind, job_id, attempt = cast(Kind, arguments[0]), int(arguments[1]), int(arguments[2])
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker handles Ctrl-C
    lower_priority(kind)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logger.info("%s %d, attempt %d, process %d", kind, job_id, attempt, os.getpid())

    settings = Settings.from_environment()
    store = AttemptStore(settings, kind, job_id, attempt)
    with FileLock(lock_of(settings, kind, job_id)) as lock:
        try:
            if not lock.acquire_from_orphan(ORPHAN_SECONDS):
                # An earlier process still runs on another machine that is presumed dead. It can't
                # write, because its attempt is outdated.
                logger.warning("Process %s on %s still works on this job.", *lock.holder())
            work: dict[Kind, Work] = {"run": do_run, "import": do_import, "task": do_task}
            work[kind](store, job_id, attempt, stopping.is_set)
        except (CanceledError, StaleAttemptError) as error:
            logger.info("%s", error)
            return STOPPED_STATUS if isinstance(error, CanceledError) else STALE_STATUS
        except LostProcessError:
            logger.exception("The %s stops.", kind)
            return LOST_PROCESS_STATUS
        except Exception as error:
            logger.exception("The %s failed.", kind)
            if is_database_unavailable(error):
                return NO_DATABASE_STATUS
            with store.write(exclusive=False) as session:
                job = lock_attempt(session, kind, job_id, attempt)
                end_job(session, job, FAILED, error_message(error, settings, kind, job_id))
    return ENDED_STATUS


def do_run(store: Store, run_id: int, attempt: int, stopping: Callable[[], bool]) -> None:
    """Do a run, or the rest of it, and record that it finished."""
    from vecaf.config import RunConfig
    from vecaf.engine.run_processes import execute_run
    from vecaf.runs.preparation import with_device

    with store.read() as session:
        run = session.get_one(Run, run_id)
    settings = with_device(RunConfig.from_dict(run.config), store.settings)
    restrict_gpus(settings.device)
    execute_run(store, settings.device, run_id, attempt, stopping)
    with store.write(exclusive=False) as session:
        end_job(session, lock_attempt(session, "run", run_id, attempt), FINISHED)


def embed_task_on_cluster(context: TaskContext) -> None:
    """On a Ray cluster, compute the features of the task `embed` on all free nodes."""
    from vecaf.config import RunConfig
    from vecaf.encoders.dataset_features import pvm_for
    from vecaf.engine.cluster_embedding import fill_cache

    settings = context.store.settings
    if settings.engine != "ray":
        return
    samples = context.samples()
    fill_cache(
        pvm_for(RunConfig(), samples),
        samples,
        settings,
        log=logger.info,
        progress=context.progress("Computing embeddings"),
        should_stop=context.should_stop,
    )


def do_import(store: Store, import_id: int, attempt: int, stopping: Callable[[], bool]) -> None:
    """Import a dataset and record that the import finished."""
    from vecaf.datasets import import_source

    with store.read() as session:
        job = session.get_one(Import, import_id)
    progress = Progress(store, "import", import_id, attempt, stopping)
    if job.dataset_id is None:  # otherwise an earlier attempt was killed right after its commit
        import_source(
            store,
            job.source,
            job.name,
            user_id=job.owner_id,
            import_id=import_id,
            progress=progress.show,
            should_stop=progress.should_stop,
        )
    with store.write(exclusive=False) as session:
        done = lock_attempt(session, "import", import_id, attempt)
        end_job(session, done, FINISHED)
        assert isinstance(done, Import)
        if store.settings.embed_on_import and done.dataset_id is not None:
            queue_embedding(session, done.dataset_id)


def do_task(store: Store, task_id: int, attempt: int, stopping: Callable[[], bool]) -> None:
    """Run a task and record its result."""
    from vecaf.engine.shard_actors import sharding_for
    from vecaf.tasks import RETIRED, TASKS, TaskContext

    with store.read() as session:
        task = session.get_one(Task, task_id)
    if task.kind in RETIRED:
        raise UnavailableError(RETIRED[task.kind])
    restrict_gpus(store.settings.device)
    progress = Progress(store, "task", task_id, attempt, stopping)
    background = None
    if task.kind in BACKGROUND_KINDS:
        background = Yielding(store, progress.should_stop)
    context = TaskContext(
        store=store,
        user_id=task.owner_id,
        dataset_id=task.dataset_id,
        folder=folder_of(store.settings, "task", task_id),
        stage=progress.show,
        should_stop=(background or progress).should_stop,
        sharding=sharding_for(store.settings) if task.kind == "selection" else None,
    )
    try:
        if task.kind == "embed":
            embed_task_on_cluster(context)
        result = TASKS[task.kind](context, **task.params)
    except CanceledError:
        if background is None or not background.yielded:
            raise
        with store.write(exclusive=False) as session:
            requeue_paused(session, lock_attempt(session, "task", task_id, attempt))
        return
    with store.write(exclusive=False) as session:
        done = lock_attempt(session, "task", task_id, attempt)
        assert isinstance(done, Task)
        done.result = result
        end_job(session, done, FINISHED)


def is_database_unavailable(error: Exception) -> bool:
    """Return whether an error is temporary: a lost connection, or a locked SQLite file.

    A full disk of the database server is not.
    """
    temporary = sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.InternalError
    if not isinstance(error, temporary) or _server_full(error):
        return False
    server = type(error.orig).__module__.startswith("psycopg")
    return server or "database is locked" in str(error.orig)


def _server_full(error: Exception) -> bool:
    return type(getattr(error, "orig", None)).__name__ == "DiskFull"  # psycopg's


def error_message(error: Exception, settings: Settings, kind: Kind, job_id: int) -> str:
    """Return the message for users about an error. The traceback is in the log."""
    if isinstance(error, VecafError):
        return str(error).replace(f"{settings.home}{os.sep}", "")
    text = str(error).lower()
    if isinstance(error, MemoryError) or "out of memory" in text:
        return "Memory ran out. Try a smaller batch size, image size, or model."
    if is_full(error) or _server_full(error) or "database or disk is full" in text:
        return DISK_FULL
    log = log_of(settings, kind, job_id).relative_to(settings.home)
    return f"Unexpected error ({type(error).__name__}). Details are in {log} in the data folder."


def restrict_gpus(device: str) -> None:
    """Hide the GPUs of other workers, unless `device` names a GPU by its number."""
    own = os.environ.get(OWN_GPUS)
    if own and device in ("auto", "cuda"):
        os.environ["CUDA_VISIBLE_DEVICES"] = own


if __name__ == "__main__":
    collect_rarely()
    lines = exit_with_worker()
    be_killed_first()
    sys.exit(main(sys.argv[1:] or wait_for_assignment(lines)))
