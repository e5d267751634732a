"""One attempt at a job: the store as it may use it, and how its process exits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from vecaf.errors import VecafError
from vecaf.settings import Settings
from vecaf.store import Store
from vecaf.store.jobs import Kind, lock_attempt

ENDED_STATUS, STOPPED_STATUS, STALE_STATUS, LOST_STATUS, UNREACHED_STATUS = 0, 75, 76, 77, 78


class LostCompanionError(VecafError):
    """One of the processes that train the run is gone; the run goes on from its checkpoint."""


class AttemptStore(Store):
    """A store whose every write session belongs to an attempt.

    It raises StaleAttemptError, and commits nothing, once a newer attempt has begun or the job has
    ended: whatever a worker that was taken for dead still does, its successor's work stands.
    """

    def __init__(self, settings: Settings, kind: Kind, job_id: int, attempt: int) -> None:
        super().__init__(settings)
        self._attempt = (kind, job_id, attempt)

    @contextmanager
    def write(self, *, exclusive: bool = True) -> Iterator[Session]:
        with super().write(exclusive=exclusive) as session:
            lock_attempt(session, *self._attempt)
            yield session
