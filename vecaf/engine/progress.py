"""The progress of an import or a task, in its row of the database."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from vecaf.engine.recorder import BUFFER_SECONDS
from vecaf.store import Store
from vecaf.store.jobs import KINDS, Kind, lock_attempt


class Progress:
    """Writes the progress of a job to its row, at most twice a second, and detects a cancel."""

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
        """Write the progress. Raises StaleAttemptError if another attempt owns the job."""
        if stage == self._stage and time.monotonic() < self._due:
            return
        self._stage, self._due = stage, time.monotonic() + BUFFER_SECONDS
        with self._store.write(exclusive=False) as session:
            job = lock_attempt(session, self._kind, self._id, self._attempt)
            job.stage, job.done, job.total = stage[:200], done, total

    def should_stop(self) -> bool:
        if not self._canceled and time.monotonic() - self._asked_at > BUFFER_SECONDS:
            self._asked_at = time.monotonic()
            job = KINDS[self._kind]
            query = sa.select(job.cancel_requested).where(job.id == self._id)
            with self._store.read() as session:
                self._canceled = session.scalar(query) is not False
        return self._canceled or self._stopping()
