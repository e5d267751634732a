"""The store that the web server uses: it answers "busy" instead of letting requests wait long."""

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

WAIT_SECONDS = 5.0  # for a lock; a worker waits for 30 s
WRITERS = 40  # writes that can wait at once; the server has twice as many threads


class ServerStore(Store):
    """A store that raises BusyError if the database stays locked or too many writes are waiting."""

    def __init__(
        self, settings: Settings, *, wait_seconds: float = WAIT_SECONDS, writers: int = WRITERS
    ) -> None:
        super().__init__(settings)
        self._wait_milliseconds = int(1000 * wait_seconds)
        self._writers = threading.BoundedSemaphore(writers)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the store as `Store.open` does; only opening can wait longer for a lock."""
        store = super().open(settings)
        store.shorten_waits()
        return store

    def shorten_waits(self) -> None:
        """Limit how long new connections wait for a lock to `wait_seconds`."""
        sa.event.listen(self.engine, "connect", self._shorten)
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Session]:
        with _convert_lock_errors(), super().read() as session:
            yield session

    @contextmanager
    def write(self, *, exclusive: bool = True) -> Iterator[Session]:
        if not self._writers.acquire(blocking=False):
            raise BusyError(
                "Your change was not saved: too many changes are waiting. Try again in a moment."
            )
        try:
            with _convert_lock_errors(), super().write(exclusive=exclusive) as session:
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
def _convert_lock_errors() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        postgresql = type(error.orig).__name__ == "LockNotAvailable"
        if postgresql or "database is locked" in str(error.orig):
            raise BusyError(
                "Nothing was saved: another program has locked the database. Try again in a moment."
            ) from error
        raise
