"""The process that does one attempt at a job: `python -m vecaf.engine.child KIND ID ATTEMPT`.

Without arguments it is a standby process, which gets its job later (`vecaf.engine.standby`). A
worker starts it in a process group of its own and holds its standard input open. It writes the
job's end (finished, failed); its worker writes what a process cannot say of itself (canceled,
paused, crashed). Exit status 0: the end is written; 75: told to stop; 76: another attempt owns the
job; 77: a process that trained along is gone; 78: the database server was out of reach, so that
the job should be tried again; 1: nothing could be written.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa

from vecaf.engine.attempt import (
    ENDED_STATUS,
    LOST_STATUS,
    STALE_STATUS,
    STOPPED_STATUS,
    UNREACHED_STATUS,
    AttemptStore,
    LostCompanionError,
)
from vecaf.engine.gpus import OWN_GPUS
from vecaf.engine.locks import FileLock
from vecaf.engine.paths import folder_of, lock_of, log_of
from vecaf.engine.process_setup import be_modest, die_with_worker, go_first
from vecaf.engine.recorder import HOLD_SECONDS, DatabaseRecorder
from vecaf.engine.warmup import assigned
from vecaf.errors import CanceledError, UnavailableError, UnreadableImageError, VecafError
from vecaf.files import DISK_FULL, is_full
from vecaf.settings import Settings
from vecaf.store import FAILED, FINISHED, Dataset, Import, Run, Store, Task
from vecaf.store.jobs import KINDS, Kind, StaleAttemptError, end_job, lock_attempt

ORPHAN_PATIENCE_SECONDS = 5.0

if TYPE_CHECKING:
    from vecaf.config import RunConfig
    from vecaf.datasets.pool import Samples

Work = Callable[[Store, int, int, Callable[[], bool]], None]

logger = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Do the attempt that the arguments name; returns the exit status."""
    kind, job_id, attempt = cast(Kind, arguments[0]), int(arguments[1]), int(arguments[2])
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle
    be_modest(kind)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logger.info("%s %d, attempt %d, process %d", kind, job_id, attempt, os.getpid())

    settings = Settings.from_environment()
    store = AttemptStore(settings, kind, job_id, attempt)
    with FileLock(lock_of(settings, kind, job_id)) as lock:
        try:
            if not lock.acquire_from_orphan(ORPHAN_PATIENCE_SECONDS):
                # It is on another machine, which this one was told is gone. The attempt's number
                # keeps it from writing; the lock only spares its work.
                logger.warning("process %s on %s still works on this", *lock.holder())
            work: dict[Kind, Work] = {"run": do_run, "import": do_import, "task": do_task}
            work[kind](store, job_id, attempt, stopping.is_set)
        except (CanceledError, StaleAttemptError) as error:
            logger.info("%s", error)
            return STOPPED_STATUS if isinstance(error, CanceledError) else STALE_STATUS
        except LostCompanionError:
            logger.exception("the %s stops here", kind)
            return LOST_STATUS
        except Exception as error:
            logger.exception("the %s failed", kind)
            if out_of_reach(error):
                return UNREACHED_STATUS
            with store.write(exclusive=False) as session:
                job = lock_attempt(session, kind, job_id, attempt)
                end_job(session, job, FAILED, sentence(error, settings, kind, job_id))
    return ENDED_STATUS


def do_run(store: Store, run_id: int, attempt: int, stopping: Callable[[], bool]) -> None:
    """Do the run, or the rest of it, and write that it is finished."""
    from vecaf.config import RunConfig
    from vecaf.datasets.pool import load_samples
    from vecaf.datasets.snapshot import with_snapshot
    from vecaf.engine.left_out import note_damaged, without_unreadable
    from vecaf.engine.saved_selection import record_given
    from vecaf.engine.training_processes import companions
    from vecaf.export.versions import record_versions
    from vecaf.runs.preparation import with_device
    from vecaf.runs.rounds import run_rounds

    settings = store.settings
    with store.read() as session:
        run = session.get_one(Run, run_id)
        dataset = session.get_one(Dataset, run.dataset_id)
        samples = load_samples(session, dataset, settings.images)
    config = RunConfig.from_dict(run.config)
    folder = folder_of(settings, "run", run_id)
    samples = with_snapshot(samples, folder)
    own = with_device(config, settings)
    keep_to_own_gpus(own.device)
    record_versions(folder, own)
    recorder = DatabaseRecorder(store, run_id, attempt, stopping=stopping)
    meeting = folder / f"companions-{attempt}"
    while True:
        readable = without_unreadable(samples, folder, recorder, store)
        record_given(config, readable, recorder, store, run)
        share_embedding(config, readable, recorder, store, run)
        try:
            with companions(settings.processes, meeting, own.device) as ranks:
                run_rounds(config, readable, recorder, folder, settings, ranks)
            break
        except UnreadableImageError as error:
            note_damaged(samples, folder, error)
    recorder.flush()
    with store.write(exclusive=False) as session:
        end_job(session, lock_attempt(session, "run", run_id, attempt), FINISHED)


def share_embedding(
    config: RunConfig, samples: Samples, recorder: DatabaseRecorder, store: Store, run: Run
) -> None:
    """Let all workers embed a big dataset, where there are several; the rest finds the cache."""
    from vecaf.encoders.dataset_features import pvm_for
    from vecaf.encoders.embed import count_missing
    from vecaf.engine.embedding_parts import WORTH_SHARING, embed_in_parts, worth_sharing
    from vecaf.runs.preparation import with_device

    if len(samples) < WORTH_SHARING:
        return
    pvm = pvm_for(config, samples)
    keys = [samples.keys[row] for row in samples.usable]
    missing = count_missing(pvm, keys, with_device(config, store.settings))
    with store.read() as session:
        shared = worth_sharing(session, missing)
    if not shared:
        return
    recorder.log(f"{missing:,} images are to be looked at: all workers share them.")
    try:
        embed_in_parts(
            Store(store.settings), run.owner_id, run.dataset_id, len(samples),
            model=config.model, image_size=config.image_size,
            progress=lambda done, total: recorder.stage("Looking at images", done, total),
            should_stop=recorder.should_stop,
        )  # fmt: skip
    except UnavailableError as error:  # what is missing is embedded here
        recorder.log(str(error), "warning")


def do_import(store: Store, import_id: int, attempt: int, stopping: Callable[[], bool]) -> None:
    """Import what the row names and write that it is finished."""
    from vecaf.datasets import import_source

    with store.read() as session:
        job = session.get_one(Import, import_id)
    progress = Progress(store, "import", import_id, attempt, stopping)
    if job.dataset_id is None:  # else an attempt before was killed right after its commit
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
        end_job(session, lock_attempt(session, "import", import_id, attempt), FINISHED)


def do_task(store: Store, task_id: int, attempt: int, stopping: Callable[[], bool]) -> None:
    """Do the task and write its result."""
    from vecaf.tasks import TASKS, Work

    with store.read() as session:
        task = session.get_one(Task, task_id)
    keep_to_own_gpus(store.settings.device)
    progress = Progress(store, "task", task_id, attempt, stopping)
    work = Work(
        store=store,
        user_id=task.owner_id,
        dataset_id=task.dataset_id,
        folder=folder_of(store.settings, "task", task_id),
        stage=progress.show,
        should_stop=progress.should_stop,
    )
    result = TASKS[task.kind](work, **task.params)
    with store.write(exclusive=False) as session:
        done = lock_attempt(session, "task", task_id, attempt)
        assert isinstance(done, Task)
        done.result = result
        end_job(session, done, FINISHED)


class Progress:
    """Shows a job's progress in its row, at most twice a second, and sees a cancel."""

    def __init__(
        self, store: Store, kind: Kind, job_id: int, attempt: int, stopping: Callable[[], bool]
    ) -> None:
        self._store, self._kind, self._id, self._attempt = store, kind, job_id, attempt
        self._stopping = stopping
        self._stage = ""
        self._due = 0.0
        self._asked_at = 0.0
        self._canceled = False

    def show(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Raises StaleAttemptError once another attempt owns the job."""
        if stage == self._stage and time.monotonic() < self._due:
            return
        self._stage, self._due = stage, time.monotonic() + HOLD_SECONDS
        with self._store.write(exclusive=False) as session:
            job = lock_attempt(session, self._kind, self._id, self._attempt)
            job.stage, job.done, job.total = stage[:200], done, total

    def should_stop(self) -> bool:
        if not self._canceled and time.monotonic() - self._asked_at > HOLD_SECONDS:
            self._asked_at = time.monotonic()
            job = KINDS[self._kind]
            query = sa.select(job.cancel_requested).where(job.id == self._id)
            with self._store.read() as session:
                self._canceled = session.scalar(query) is not False
        return self._canceled or self._stopping()


def out_of_reach(error: Exception) -> bool:
    """Whether a database server has gone away or has ended our session, or somebody has kept
    SQLite's lock for longer than we wait: that passes. A full disk is said to be one."""
    passing = sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.InternalError
    if not isinstance(error, passing) or _server_full(error):
        return False
    server = type(error.orig).__module__.startswith("psycopg")
    return server or "database is locked" in str(error.orig)


def _server_full(error: Exception) -> bool:
    return type(getattr(error, "orig", None)).__name__ == "DiskFull"  # psycopg's


def sentence(error: Exception, settings: Settings, kind: Kind, job_id: int) -> str:
    """What a person is told about an error; the traceback is in the log."""
    if isinstance(error, VecafError):
        return str(error).replace(f"{settings.home}{os.sep}", "")
    text = str(error).lower()
    if isinstance(error, MemoryError) or "out of memory" in text:
        return "Memory ran out. Try a smaller batch size, image size or model."
    if is_full(error) or _server_full(error) or "database or disk is full" in text:
        return DISK_FULL
    log = log_of(settings, kind, job_id).relative_to(settings.home)
    return (
        f"Something went wrong that should not have ({type(error).__name__}). "
        f"The details are in {log}, in the studio's home."
    )


def keep_to_own_gpus(device: str) -> None:
    """Leave other workers' GPUs alone, unless one is asked for by its number."""
    own = os.environ.get(OWN_GPUS)
    if own and device in ("auto", "cuda"):
        os.environ["CUDA_VISIBLE_DEVICES"] = own


if __name__ == "__main__":
    told = die_with_worker()
    go_first()
    sys.exit(main(sys.argv[1:] or assigned(told)))
