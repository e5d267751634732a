"""Consistent copies of the SQLite file, made while other processes read and write it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from vecaf.errors import UnavailableError, VecafError
from vecaf.files import DISK_FULL, replacing
from vecaf.store.sqlite import BUSY_TIMEOUT_MS, is_damaged, is_full, library

MAX_COPIES = 3  # copies from before migrations to keep


def sqlite_path(url: str) -> Path | None:
    """Return the SQLite file that a database URL names; None for another database."""
    parsed = sa.make_url(url)
    return Path(parsed.database) if parsed.drivername == "sqlite" and parsed.database else None


def copy_database(source: Path, to: Path) -> None:
    """Copy the database as of its last commit, with SQLite's online backup.

    With the write-ahead log, the copy does not block writers. If it fails, `to` is unchanged.

    Raises
    ------
    VecafError
        The source is damaged or can't be read.
    UnavailableError
        The disk is full.
    """
    with (
        replacing(to) as temporary,
        closing(library.connect(source, timeout=BUSY_TIMEOUT_MS / 1000)) as database,
        closing(library.connect(temporary)) as copy,
    ):
        try:
            database.backup(copy)
            copy.execute("PRAGMA locking_mode = EXCLUSIVE")  # avoids the -shm file
            copy.execute("PRAGMA journal_mode = DELETE")  # avoids the -wal file
            check_integrity(copy, source)
            copy.close()
        except library.DatabaseError as error:
            if is_full(error, to.parent):
                raise UnavailableError(DISK_FULL) from error
            raise VecafError(f"The database {source} could not be copied: {error}.") from error


def check_integrity(connection: library.Connection, path: Path) -> None:  # type: ignore[name-defined]
    """Raise VecafError if SQLite reports that the database is damaged."""
    found = integrity_errors(connection)
    if found:
        raise VecafError(damaged_message(path, found))


def integrity_errors(connection: library.Connection, table: str | None = None) -> list[str]:  # type: ignore[name-defined]
    """Return the errors that SQLite finds in the database or one table of it, at most 20."""
    asked = "20" if table is None else f'"{table}"'
    try:
        rows = connection.execute(f"PRAGMA quick_check({asked})").fetchall()
    except library.DatabaseError as error:
        if not is_damaged(error):
            raise
        rows = [(str(error),)]  # too damaged to be checked
    lines = [line for (text,) in rows for line in text.splitlines()]
    return [line for line in lines if line != "ok" and not line.startswith("***")]  # a heading


def damaged_message(path: Path, found: Sequence[str] = ()) -> str:
    """Return the message for a damaged database file."""
    more = f" and {len(found) - 1} more errors" if len(found) > 1 else ""
    what = f" ({found[0]}{more})" if found else ""
    copies = migration_copies(path) if path.parent.is_dir() else []
    copy = (
        " Or stop the studio and replace the file with the copy from before the last update: "
        f"{copies[-1].name}. Changes made since then are lost."
        if copies
        else ""
    )
    return (
        f"The database {path} can't be read: the file is damaged{what}. It was not changed. "
        f"Restore a backup: python -m vecaf restore FILE.tar --home NEW_FOLDER.{copy}"
    )


def copy_before_migration(source: Path, schema: str, moment: datetime) -> Path:
    """Copy the database to the same folder before a migration, as `studio-0002-20261124T120000.db`.

    Only the newest copies are kept. Raises the errors of `copy_database`.
    """
    stamp = moment.strftime("%Y%m%dT%H%M%S")
    copy = source.with_name(f"{source.stem}-{schema}-{stamp}{source.suffix}")
    copy_database(source, copy)
    for old in migration_copies(source)[:-MAX_COPIES]:
        old.unlink(missing_ok=True)
    return copy


def migration_copies(source: Path) -> list[Path]:
    """Return the copies made before migrations, oldest first."""
    name = re.compile(rf"{re.escape(source.stem)}-\w+-(\d{{8}}T\d{{6}}){re.escape(source.suffix)}")
    found = [(match[1], path) for path in source.parent.iterdir()
             if (match := name.fullmatch(path.name))]  # fmt: skip
    return [path for _, path in sorted(found)]
