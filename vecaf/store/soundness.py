"""Whether SQLite finds its file sound: a damaged page is better found before it is needed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from vecaf.errors import VecafError
from vecaf.store.copies import damaged, file_of, findings
from vecaf.store.engine import Store
from vecaf.store.sqlite import BUSY_TIMEOUT_MS, library

CHECKED_AT_START = 256 << 20  # bytes: a check takes 0.4 s for so many once they are read
LARGE = frozenset({"sample", "annotation", "selection", "metric", "subset_sample"})


def check_at_start(store: Store) -> None:
    """Raise VecafError where the database is damaged.

    Of a file of more than 256 MiB only the tables that every page needs are checked; `doctor`
    checks all of it.
    """
    path = file_of(store.settings.database_url)
    if path is None:
        return
    tables: list[str | None] = [None]
    if path.stat().st_size > CHECKED_AT_START:
        with store.read() as session:
            names = sa.inspect(session.connection()).get_table_names()
        tables = [name for name in names if name not in LARGE]
    _check(path, tables)


def check_whole(store: Store) -> None:
    """Raise VecafError where the database is damaged, whatever its size."""
    path = file_of(store.settings.database_url)
    if path is not None:
        _check(path, [None])


def _check(path: Path, tables: list[str | None]) -> None:
    with closing(library.connect(path, timeout=BUSY_TIMEOUT_MS / 1000)) as connection:
        found = [line for table in tables for line in findings(connection, table)]
    if found:
        raise VecafError(damaged(path, found))
