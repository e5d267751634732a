"""Check a SQLite file for damage before the damaged part is needed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from vecaf.errors import VecafError
from vecaf.store.database import Store
from vecaf.store.sqlite import BUSY_TIMEOUT_MS, library
from vecaf.store.sqlite_copies import damaged_message, integrity_errors, sqlite_path

FULL_CHECK_BYTES = 256 << 20  # checking a file of this size takes 0.4 s once it is cached
LARGE = frozenset({"sample", "annotation", "selection", "metric", "subset_sample"})


def check_at_start(store: Store) -> None:
    """Raise VecafError if the database is damaged.

    In a file larger than 256 MiB, this checks only the tables that every page needs. `doctor`
    checks all tables.
    """
    path = sqlite_path(store.settings.database_url)
    if path is None:
        return
    tables: list[str | None] = [None]
    if path.stat().st_size > FULL_CHECK_BYTES:
        with store.read() as session:
            names = sa.inspect(session.connection()).get_table_names()
        tables = [name for name in names if name not in LARGE]
    _check(path, tables)


def check_all_tables(store: Store) -> None:
    """Raise VecafError if any table of the database is damaged. It can be of any size."""
    path = sqlite_path(store.settings.database_url)
    if path is not None:
        _check(path, [None])


def _check(path: Path, tables: list[str | None]) -> None:
    with closing(library.connect(path, timeout=BUSY_TIMEOUT_MS / 1000)) as connection:
        found = [line for table in tables for line in integrity_errors(connection, table)]
    if found:
        raise VecafError(damaged_message(path, found))
