"""Check a SQLite file for damage, before a damaged page is needed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from vecaf.errors import VecafError
from vecaf.store.database import Store
from vecaf.store.sqlite import BUSY_TIMEOUT_MS, library
from vecaf.store.sqlite_copies import damaged_message, integrity_errors, sqlite_path

CHECKED_AT_START = 256 << 20  # bytes; a check of that many takes 0.4 s once they are read
LARGE = frozenset({"sample", "annotation", "selection", "metric", "subset_sample"})


def check_at_start(store: Store) -> None:
    """Raise VecafError where the database is damaged.

    In a file of more than 256 MiB, only the tables that every page needs are checked. `doctor`
    checks the whole file.
    """
    path = sqlite_path(store.settings.database_url)
    if path is None:
        return
    tables: list[str | None] = [None]
    if path.stat().st_size > CHECKED_AT_START:
        with store.read() as session:
            names = sa.inspect(session.connection()).get_table_names()
        tables = [name for name in names if name not in LARGE]
    _check(path, tables)


def check_all_tables(store: Store) -> None:
    """Raise VecafError where the database is damaged; a large one is checked whole, too."""
    path = sqlite_path(store.settings.database_url)
    if path is not None:
        _check(path, [None])


def _check(path: Path, tables: list[str | None]) -> None:
    with closing(library.connect(path, timeout=BUSY_TIMEOUT_MS / 1000)) as connection:
        found = [line for table in tables for line in integrity_errors(connection, table)]
    if found:
        raise VecafError(damaged_message(path, found))
