"""The dispatcher: starts queued jobs on an engine, follows them, and records how they end.

The process of a job records that the job finished or failed. The dispatcher records the rest:
canceled, paused, crashed, lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.engine.paths import discard_import
from vecaf.engine.protocol import Attempt, Engine, Exited, Running, Waiting
from vecaf.engine.resources import resources_for
from vecaf.errors import UnavailableError
from vecaf.store import CANCELED, FAILED, QUEUED, Import, Run, Store, Task
from vecaf.store.background import BACKGROUND_KINDS
from vecaf.store.jobs import (
    IN_QUEUE,
    KINDS,
    Job,
    Kind,
    StaleAttemptError,
    any_queued,
    end_job,
    lock_attempt,
    next_queued,
    record_crash,
    record_loss,
    requeue_paused,
    running_jobs,
    start_attempt,
)

CANCEL_GRACE_SECONDS = 3.0  # from SIGTERM to SIGKILL; a cancel takes at most 5 s
STOP_GRACE_SECONDS: dict[Kind, float] = {  # the worker exits within 10 s
    "run": 7.0,  # writing a checkpoint takes time
    "import": 1.0,  # imports and tasks have no checkpoints to write
    "task": 1.0,
}
PAUSE_POLL_SECONDS = 0.05
LOST = "The process of the job was lost. The job resumes."

logger = logging.getLogger(__name__)


class Dispatcher:
    """Connects the queue in the database with an engine. One process at a time runs it."""

    def __init__(self, store: Store, engine: Engine, worker_id: str) -> None:
        self._store, self._engine, self._worker_id = store, engine, worker_id
        self._active: set[Attempt] = set()
        self._stopping: set[Attempt] = set()
        self._pausing = False
        self._empty_at: int | None = None  # database version at which the queue was empty
        self._shown: dict[Attempt, Waiting | Running] = {}  # what the database shows

    @property
    def busy(self) -> bool:
        """Whether an attempt is active."""
        return bool(self._active)

    def reconcile(self) -> None:
        """Adopt the attempts that live on the engine, and queue jobs again whose attempt is lost.

        Call this before the first step.
        """
        self._engine.refresh()
        live = self._engine.live()
        lost: list[tuple[Kind, int]] = []
        with self._store.write(exclusive=False) as session:
            for kind, job in running_jobs(session):
                attempt = Attempt(kind, job.id, job.attempt)
                if attempt in live:
                    job.worker = self._worker_id
                    self._active.add(attempt)
                    continue
                lost.append((kind, job.id))
                if job.cancel_requested:
                    end_job(session, job, CANCELED)
                else:
                    record_loss(session, job, LOST)
        for kind, job_id in lost:
            self._discard_upload(kind, job_id)

    def step(self) -> None:
        """Record ended attempts, stop canceled ones, and start the queued jobs that fit."""
        self._engine.refresh()
        self._follow()
        self._stop_unwanted()
        started = [self._start_next(kind) for kind in KINDS] if self._any_queued() else []
        if not any(started):
            self._engine.idle()

    def _any_queued(self) -> bool:
        version = self._store.version()  # before the query, so that a later commit isn't missed
        if version is not None and version == self._empty_at:
            return False
        with self._store.read() as session:
            found = any_queued(session)
        self._empty_at = None if found else version
        return found

    def pause(self) -> None:
        """Let every process write a checkpoint and exit, and put their jobs back in the queue.

        On an engine that keeps its jobs, they continue, and the next worker adopts them.
        """
        if self._engine.keeps_jobs:
            return
        self._pausing = True
        for attempt in self._active:
            self._engine.stop(attempt, STOP_GRACE_SECONDS[attempt.kind])
        deadline = time.monotonic() + max(STOP_GRACE_SECONDS.values()) + 1.5
        while self._active and time.monotonic() < deadline:
            self._engine.refresh()
            self._follow()
            time.sleep(PAUSE_POLL_SECONDS)

    def _follow(self) -> None:
        for attempt in list(self._active):
            status = self._engine.status(attempt)
            if isinstance(status, Exited):
                self._record_end(attempt, status)
                self._engine.forget(attempt)
                self._active.discard(attempt)
                self._stopping.discard(attempt)
                self._shown.pop(attempt, None)
            else:
                self._show(attempt, status)

    def _record_end(self, attempt: Attempt, status: Exited) -> None:
        try:
            with self._store.write(exclusive=False) as session:
                job = lock_attempt(session, *attempt)
                if job.cancel_requested:
                    end_job(session, job, CANCELED)
                elif self._pausing:
                    requeue_paused(session, job)
                elif status.crashed:
                    record_crash(session, job, status.problem)
                else:
                    record_loss(session, job, status.problem)
        except StaleAttemptError:
            pass  # the process recorded the end
        self._discard_upload(attempt.kind, attempt.job_id)

    def _show(self, attempt: Attempt, status: Waiting | Running) -> None:
        """Write where the attempt runs, or why it waits, if that has changed."""
        previous = self._shown.get(attempt, Running())
        if previous == status:
            return
        try:
            with self._store.write(exclusive=False) as session:
                job = lock_attempt(session, *attempt)
                if isinstance(status, Running):
                    job.node = status.node
                    if isinstance(previous, Waiting) and job.stage == previous.reason[:200]:
                        job.stage = "starting"
                else:
                    job.stage = status.reason[:200]
        except StaleAttemptError:
            pass  # it is about to exit
        self._shown[attempt] = status

    def _stop_unwanted(self) -> None:
        """Stop attempts whose job was canceled or deleted, or has a newer attempt."""
        for attempt in self._engine.live() - self._active:  # the database does not know them
            self._engine.stop(attempt, CANCEL_GRACE_SECONDS)
            self._engine.forget(attempt)
        candidates = self._active - self._stopping
        if not candidates:
            return
        with self._store.read() as session:
            unwanted = [one for one in candidates if not _wanted(session, one)]
        for attempt in unwanted:
            self._engine.stop(attempt, CANCEL_GRACE_SECONDS)
            self._stopping.add(attempt)

    def _start_next(self, kind: Kind) -> bool:
        """Start the next job of a kind if it fits; return whether there was one to start."""
        with self._store.read() as session:
            job = next_queued(session, kind)
        if job is None or any(one[:2] == (kind, job.id) for one in self._active):
            return False
        resources = resources_for(self._store.settings, kind, _config(job))
        obstacle = self._engine.obstacle(kind, resources)
        if obstacle is not None:
            self._show_obstacle(kind, job, obstacle)
            return False
        with self._store.write(exclusive=False) as session:
            number = start_attempt(session, kind, job.id, self._worker_id)
        if number is None:  # it was canceled meanwhile
            return True
        attempt = Attempt(kind, job.id, number)
        try:
            self._engine.start(attempt, resources, prepared=_needs_libraries(job))
        except OSError as error:  # no disk space for the log, or no memory
            logger.exception("Could not start %s %d.", kind, job.id)
            self._record_end(attempt, Exited(f"The process could not start: {error.strerror}."))
        except UnavailableError as error:
            self._record_end(attempt, Exited(str(error), crashed=False))
            raise
        else:
            self._active.add(attempt)
        return True

    def show_obstacle(self, obstacle: str) -> None:
        """Show why no queued job starts, on the next job of each kind."""
        for kind in KINDS:
            with self._store.read() as session:
                job = next_queued(session, kind)
            if job is not None:
                self._show_obstacle(kind, job, obstacle)

    def _show_obstacle(self, kind: Kind, job: Job, obstacle: str) -> None:
        if obstacle == (job.stage or IN_QUEUE):
            return
        model = KINDS[kind]
        change = sa.update(model).where(model.id == job.id, model.state == QUEUED)
        with self._store.write(exclusive=False) as session:
            session.execute(change.values(stage=obstacle[:200]))

    def _discard_upload(self, kind: Kind, job_id: int) -> None:
        """Delete the uploaded archive of an import that has ended."""
        if kind != "import":
            return
        with self._store.read() as session:
            job = session.get(Import, job_id)
        if job is not None and job.finished_at is not None:
            keep = job.state == FAILED
            discard_import(self._store.settings, job_id, job.source, keep_log=keep)


def _wanted(session: Session, attempt: Attempt) -> bool:
    """Return whether the attempt is the newest one of its job, and the job is not canceled."""
    model = KINDS[attempt.kind]
    query = sa.select(model.attempt, model.cancel_requested).where(model.id == attempt.job_id)
    row = session.execute(query).one_or_none()
    return row is not None and row.attempt == attempt.number and not row.cancel_requested


def _needs_libraries(job: Job) -> bool:
    """Return whether a job gets the standby process, which has loaded the libraries.

    Imports do not need them. Background tasks leave it to jobs that a user waits for.
    """
    return isinstance(job, Run) or (isinstance(job, Task) and job.kind not in BACKGROUND_KINDS)


def _config(job: Job) -> Mapping[str, Any]:
    return job.config if isinstance(job, Run) else {}
