"""Copies of the SQLite file: taken while others read and write, whole or not at all."""

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

KEPT = 3  # copies from before a migration; more would fill the disk of who updates often


def sqlite_path(url: str) -> Path | None:
    """The SQLite file that a database URL names; None for another database."""
    parsed = sa.make_url(url)
    return Path(parsed.database) if parsed.drivername == "sqlite" and parsed.database else None


def copy_database(source: Path, to: Path) -> None:
    """Copy the database as it stands after its last commit, by SQLite's online backup.

    Writers are not held up with the write-ahead log. Raises VecafError for a file that is damaged,
    UnavailableError when the disk is full; then `to` is as it was.
    """
    with (
        replacing(to) as temporary,
        closing(library.connect(source, timeout=BUSY_TIMEOUT_MS / 1000)) as database,
        closing(library.connect(temporary)) as copy,
    ):
        try:
            database.backup(copy)
            copy.execute("PRAGMA locking_mode = EXCLUSIVE")  # needs no index of the log
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
            check_integrity(copy, source)
            copy.close()
        except library.DatabaseError as error:
            if is_full(error, to.parent):
                raise UnavailableError(DISK_FULL) from error
            raise VecafError(f"{source} can't be copied: {error}.") from error


def check_integrity(connection: library.Connection, path: Path) -> None:  # type: ignore[name-defined]
    """Raise VecafError where SQLite finds the database damaged."""
    found = integrity_errors(connection)
    if found:
        raise VecafError(damaged_message(path, found))


def integrity_errors(connection: library.Connection, table: str | None = None) -> list[str]:  # type: ignore[name-defined]
    """What SQLite finds wrong with a database or one table of it, at most twenty findings."""
    asked = "20" if table is None else f'"{table}"'
    try:
        rows = connection.execute(f"PRAGMA quick_check({asked})").fetchall()
    except library.DatabaseError as error:
        if not is_damaged(error):
            raise
        rows = [(str(error),)]  # it can't even be checked
    lines = [line for (text,) in rows for line in text.splitlines()]
    return [line for line in lines if line != "ok" and not line.startswith("***")]  # a heading


def damaged_message(path: Path, found: Sequence[str] = ()) -> str:
    """The sentence for a database file that can't be trusted, one wording everywhere."""
    more = f" and {len(found) - 1} more errors" if len(found) > 1 else ""
    what = f" ({found[0]}{more})" if found else ""
    copies = migration_copies(path) if path.parent.is_dir() else []
    copy = (
        " Or stop the studio and put the copy from before the last update in its place: "
        f"{copies[-1].name}. It lacks what changed since then."
        if copies
        else ""
    )
    return (
        f"{path} is not a readable database: the file is damaged{what}. It was left untouched. "
        f"Restore a backup: python -m vecaf restore FILE.tar --home NEW_FOLDER.{copy}"
    )


def copy_before_migration(source: Path, schema: str, moment: datetime) -> Path:
    """Copy the database beside itself before its schema changes: `studio-0002-20261124T120000.db`.

    The newest few such copies are kept. Raises as `copy_database`.
    """
    stamp = moment.strftime("%Y%m%dT%H%M%S")
    copy = source.with_name(f"{source.stem}-{schema}-{stamp}{source.suffix}")
    copy_database(source, copy)
    for old in migration_copies(source)[:-KEPT]:
        old.unlink(missing_ok=True)
    return copy


def migration_copies(source: Path) -> list[Path]:
    """The copies from before migrations, oldest first."""
    name = re.compile(rf"{re.escape(source.stem)}-\w+-(\d{{8}}T\d{{6}}){re.escape(source.suffix)}")
    found = [(match[1], path) for path in source.parent.iterdir()
             if (match := name.fullmatch(path.name))]  # fmt: skip
    return [path for _, path in sorted(found)]
