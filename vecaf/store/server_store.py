"""The store of a server: no user's change waits for long, or makes the others' pages wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import BusyError
from vecaf.settings import Settings
from vecaf.store.database import Store

WAIT_SECONDS = 5.0  # a worker waits for 30 s: it has nothing else to do
WRITERS = 40  # changes that wait at once; the server has twice as many threads


class ServerStore(Store):
    """A store that raises BusyError where another program keeps the database locked."""

    def __init__(
        self, settings: Settings, *, wait_seconds: float = WAIT_SECONDS, writers: int = WRITERS
    ) -> None:
        super().__init__(settings)
        self._wait_milliseconds = int(1000 * wait_seconds)
        self._writers = threading.BoundedSemaphore(writers)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the store as `Store.open` does. Opening may wait longer for another process."""
        store = super().open(settings)
        store.shorten_waits()
        return store

    def shorten_waits(self) -> None:
        """Let every connection from now on wait no longer than `wait_seconds`."""
        sa.event.listen(self.engine, "connect", self._shorten)
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Session]:
        with _saying_if_locked(), super().read() as session:
            yield session

    @contextmanager
    def write(self, *, alone: bool = True) -> Iterator[Session]:
        if not self._writers.acquire(blocking=False):
            raise BusyError("Too many changes are waiting to be saved. Try again in a moment.")
        try:
            with _saying_if_locked(), super().write(alone=alone) as session:
                yield session
        finally:
            self._writers.release()

    def _shorten(self, connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        if self.engine.dialect.name == "sqlite":
            cursor.execute(f"PRAGMA busy_timeout = {self._wait_milliseconds}")
        else:
            cursor.execute(f"SET lock_timeout = {self._wait_milliseconds}")
            connection.commit()
        cursor.close()


@contextmanager
def _saying_if_locked() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        postgresql = type(error.orig).__name__ == "LockNotAvailable"
        if postgresql or "database is locked" in str(error.orig):
            raise BusyError(
                "Another program keeps the database locked, so nothing was changed. Try again in "
                "a moment."
            ) from error
        raise
