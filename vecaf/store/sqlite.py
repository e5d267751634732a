"""SQLite as the studio uses it: a library that is sound, and connections made ready.

The write-ahead log lets pages read while a run writes, and a reader that holds a transaction never
stops a writer. Several connections can corrupt it in SQLite 3.7.0 to 3.51.2, so it is used where
it is fixed alone (3.51.3, 3.50.7, 3.44.6): with the `pysqlite3` package, which carries a newer
SQLite than Python does, or a Python that is new enough. Elsewhere the rollback journal stays.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3 as builtin
from importlib import import_module
from pathlib import Path
from types import ModuleType

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

BUSY_TIMEOUT_MS = 30_000


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the fix for the write-ahead log's corruption with several writers."""
    return (
        version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    )


def _chosen() -> ModuleType:
    if not wal_is_safe(builtin.sqlite_version_info):
        with contextlib.suppress(ImportError):  # no wheel for this machine: see the module's text
            return import_module("pysqlite3.dbapi2")
    return builtin


library: ModuleType = _chosen()
"""The DB-API module of every connection to `studio.db`. One process must not open a file by two:
the locks of POSIX go when either closes it."""

VERSION: tuple[int, ...] = library.sqlite_version_info
JOURNAL = "wal" if wal_is_safe(VERSION) else "delete"


def sqlite_engine(url: str) -> sa.Engine:
    """An engine whose sessions begin as they say (`vecaf_begin`) and wait for their turn."""
    # NullPool: a connection never crosses a fork or a thread, and opening a file is cheap.
    engine = sa.create_engine(url, poolclass=NullPool, module=library)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def settle_journal(engine: sa.Engine) -> None:
    """Bring the file to the journal that this library is sound with; it stays so.

    Done after the schema was looked at, so that a file that is refused stays as it is. Where
    another process holds the file, the next start tries again.
    """
    connection = engine.raw_connection()
    try:
        if _mode(connection) != JOURNAL:
            with contextlib.suppress(library.OperationalError):
                connection.cursor().execute(f"PRAGMA journal_mode = {JOURNAL}")
    finally:
        connection.close()


def _mode(connection: sa.PoolProxiedConnection) -> str:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode")
    return str(cursor.fetchall()[0][0]).lower()


def _prepare(connection: builtin.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA foreign_keys = ON")
    # SQLite's own knows A to Z alone; searches compare with Python's.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _begin(connection: sa.Connection) -> None:
    begin = connection.get_execution_options().get("vecaf_begin", "BEGIN")
    connection.exec_driver_sql(begin)


SPARE = 1 << 20  # bytes: with less the shared index of the log can't be made


def is_full(error: Exception, folder: Path) -> bool:
    """Whether SQLite failed for want of disk space; where it has no room for the index of its log
    it only says that there was an I/O error."""
    text = str(error)
    return "disk is full" in text or (
        "disk I/O error" in text and shutil.disk_usage(folder).free < SPARE
    )


def is_damaged(error: Exception) -> bool:
    """Whether SQLite failed because its file is damaged or is no database."""
    return "malformed" in str(error) or "not a database" in str(error)
