"""Choose a SQLite library and journal mode, and set up connections.

With the write-ahead log, pages can read while a run writes, and readers never block writers. But
in SQLite 3.7.0 to 3.51.2, several connections can corrupt it. The studio therefore uses it only
with a fixed version (3.51.3, 3.50.7, 3.44.6), from the `pysqlite3` package or from Python itself,
and otherwise uses the rollback journal.
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
    """Return whether this SQLite version has the fix for corruption of the write-ahead log."""
    return (
        version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    )


def _choose_library() -> ModuleType:
    if not wal_is_safe(builtin.sqlite_version_info):
        with contextlib.suppress(ImportError):  # the package has no wheel for this platform
            return import_module("pysqlite3.dbapi2")
    return builtin


library: ModuleType = _choose_library()
"""The DB-API module for all connections to `studio.db`. A process must not open the file with two
SQLite libraries: when one closes it, POSIX releases the locks of both."""

VERSION: tuple[int, ...] = library.sqlite_version_info
JOURNAL = "wal" if wal_is_safe(VERSION) else "delete"


def sqlite_engine(url: str) -> sa.Engine:
    """Return an engine whose transactions begin with the option `vecaf_begin`."""
    # NullPool: no connection is shared between threads or forked processes; opening one is cheap.
    engine = sa.create_engine(url, poolclass=NullPool, module=library)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def settle_journal(engine: sa.Engine) -> None:
    """Switch the file to the journal mode that is safe with this library; SQLite stores the mode.

    Call it after the schema check, so that a refused file is not changed. If another process
    locks the file, the next start tries again.
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
    connection.isolation_level = None  # `_begin` starts transactions
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA foreign_keys = ON")
    # SQLite's own function handles only ASCII letters.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _begin(connection: sa.Connection) -> None:
    begin = connection.get_execution_options().get("vecaf_begin", "BEGIN")
    connection.exec_driver_sql(begin)


MIN_FREE_BYTES = 1 << 20  # needed to create the index of the write-ahead log


def is_full(error: Exception, folder: Path) -> bool:
    """Return whether SQLite failed because the disk is full.

    If it can't create the index of the write-ahead log, it reports only an I/O error.
    """
    text = str(error)
    return "disk is full" in text or (
        "disk I/O error" in text and shutil.disk_usage(folder).free < MIN_FREE_BYTES
    )


def is_damaged(error: Exception) -> bool:
    """Return whether SQLite failed because its file is damaged or not a database."""
    return "malformed" in str(error) or "not a database" in str(error)
