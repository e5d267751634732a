"""One attempt at a job: the store that it may write to, and the exit statuses of its process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from vecaf.errors import VecafError
from vecaf.settings import Settings
from vecaf.store import Store
from vecaf.store.jobs import Kind, lock_attempt

ENDED_STATUS = 0  # the process has recorded the end of the job
STOPPED_STATUS = 75
STALE_STATUS = 76  # another attempt owns the job
LOST_PROCESS_STATUS = 77  # a process that works for the job exited
NO_DATABASE_STATUS = 78  # the database was unreachable, so the job should be retried
NO_HOME_STATUS = 79  # the node of the cluster does not have the data folder


class LostProcessError(VecafError):
    """A process that works for the job exited. The next attempt resumes from the checkpoint."""


class AttemptStore(Store):
    """A store that only lets the current attempt write.

    A write session raises StaleAttemptError and commits nothing if a newer attempt has started or
    the job has ended. So a worker that was presumed dead can't overwrite its successor's work.
    """

    def __init__(self, settings: Settings, kind: Kind, job_id: int, attempt: int) -> None:
        super().__init__(settings)
        self._attempt = (kind, job_id, attempt)

    @contextmanager
    def write(self, *, exclusive: bool = True) -> Iterator[Session]:
        with super().write(exclusive=exclusive) as session:
            lock_attempt(session, *self._attempt)
            yield session
