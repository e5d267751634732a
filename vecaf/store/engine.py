"""Connections: SQLite made safe, PostgreSQL as it comes, the schema brought up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from vecaf.errors import VecafError
from vecaf.settings import Settings
from vecaf.store.models import User

BUSY_TIMEOUT_MS = 30_000
LOCAL_OWNER = "local owner"


class Store:
    """The database, opened for one process. Sessions are short: read or write, then closed."""

    def __init__(self, settings: Settings) -> None:
        """Connect; nothing is created or checked yet (`Store.open` does both)."""
        self.settings = settings
        self.engine = _engine(settings.database_url)
        self._writer = self.engine.execution_options(vecaf_begin="BEGIN IMMEDIATE")

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Create the home folder where it is missing, bring the schema up to date, connect.

        Raises VecafError when the database is newer than this program, corrupt or out of reach.
        """
        from vecaf.store.migrate import upgrade

        settings.home.mkdir(parents=True, exist_ok=True)
        store = cls(settings)
        try:
            upgrade(store.engine)
        except sa.exc.DatabaseError as error:
            raise VecafError(_cannot_open(settings.database_url, error)) from error
        return store

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads; it never blocks a writer for longer than the block."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that takes the write lock at once and commits at the end of the block."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def owner(self) -> int:
        """The id of the local owner, who is everybody where accounts are off."""
        with self.read() as session:
            found = session.scalar(sa.select(User.id).where(User.name == LOCAL_OWNER))
        if found is not None:
            return found
        with self.write() as session:  # asked again under the lock: another process may be first
            found = session.scalar(sa.select(User.id).where(User.name == LOCAL_OWNER))
            if found is None:
                user = User(name=LOCAL_OWNER)
                session.add(user)
                session.flush()
                found = user.id
        return found

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> sa.Engine:
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True)
    # NullPool: a connection never crosses a fork or a thread, and opening a file is cheap.
    engine = sa.create_engine(url, poolclass=NullPool)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin_sqlite
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA foreign_keys = ON")
    mode = "WAL" if wal_is_safe(sqlite3.sqlite_version_info) else "DELETE"
    current = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if current.upper() != mode:
        connection.execute(f"PRAGMA journal_mode = {mode}")


def _begin_sqlite(connection: sa.Connection) -> None:
    begin = connection.get_execution_options().get("vecaf_begin", "BEGIN")
    connection.exec_driver_sql(begin)


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the fix for the write-ahead log's corruption with several writers.

    Fixed in 3.51.3, 3.50.7 and 3.44.6; versions between keep the rollback journal.
    """
    return (
        version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    )


def _cannot_open(url: str, error: Exception) -> str:
    shown = sa.make_url(url).render_as_string(hide_password=True)
    if "malformed" in str(error) or "not a database" in str(error):
        path = Path(sa.make_url(url).database or "")
        return (
            f"{path} is not a readable database: the file is damaged. It was left untouched; "
            "restore it from a backup, or move it away to start afresh."
        )
    return f"The database {shown} can't be opened: {getattr(error, 'orig', error)}."
