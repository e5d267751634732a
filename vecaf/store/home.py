"""Keep a data folder and its database together: both store the same id.

Cleanup deletes files that the database does not reference. With a new database, or the database
of another home, it would delete every file.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import InputError
from vecaf.files import write_bytes
from vecaf.settings import Settings
from vecaf.store.migrate import schema_of
from vecaf.store.models import Home, Run, Sample
from vecaf.store.sqlite_copies import migration_copies, sqlite_path

ID_FILE = "home-id"
ROW_ID = 1  # of the only row in the table `home`
IMAGES_CHECKED = 100  # images of the database to look for in the data folder
_ID = re.compile(r"[0-9a-f]{16}")


class Sessions(Protocol):
    """The part of `Store` that `pair_home` needs."""

    settings: Settings

    def read(self) -> AbstractContextManager[Session]: ...

    def write(self) -> AbstractContextManager[Session]: ...


def make_home(settings: Settings) -> None:
    """Create the data folder if it is missing. Raises InputError if it can't be used."""
    home, advice = settings.home, "Set VECAF_HOME or --home to a folder that you can write to."
    try:
        if home.exists() and not home.is_dir():
            raise InputError(f"The data folder {home} is a file, not a folder. {advice}")
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The data folder {home} could not be created ({error.strerror}). {advice}"
        ) from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise InputError(f"You can't write to the data folder {home}. {advice}")


def check_database_exists(settings: Settings, engine: sa.Engine) -> None:
    """Raise InputError if the data folder has images or runs but its database is missing or empty.

    Call it before anything is created.
    """
    if home_has_files(settings) and _is_new(engine):
        raise InputError(_database_missing(settings))


def pair_home(store: Sessions) -> None:
    """Check that the data folder and its database have one id; give both an id if they have none.

    If only one has an id (for example, after a database with an older schema was restored), the
    other gets the same id, provided that the data folder has the database's images or both are
    empty.

    Raises
    ------
    InputError
        The data folder and the database don't belong together.
    """
    settings = store.settings
    with store.read() as session:
        row = session.get(Home, ROW_ID)
    if row is not None and row.key == read_home_id(settings):
        return
    with store.write() as session:
        row, known = session.get(Home, ROW_ID), read_home_id(settings)
        if row is not None and row.key == known:  # another process has just paired them
            return
        empty, files = _is_empty(session), home_has_files(settings)
        matches = _holds_images_of(session, settings) or (empty and not files)
        if row is None and empty and files:
            raise InputError(_database_missing(settings))
        if row is not None and (known is not None or not matches):
            raise InputError(_wrong_database(settings, row, known))
        if known is not None and not matches:
            raise InputError(_images_missing(settings, known))
        key = known or (secrets.token_hex(8) if row is None else row.key)
        if known is None:
            write_home_id(settings, key)
        if row is None:
            where = {"path": str(settings.home), "host": socket.gethostname()}
            session.add(Home(id=ROW_ID, key=key, **where))


def read_home_id(settings: Settings) -> str | None:
    """Return the id stored in the data folder; None if it has no valid id."""
    path = settings.home / ID_FILE
    text = path.read_text(errors="replace").strip() if path.is_file() else ""
    return text if _ID.fullmatch(text) else None


def write_home_id(settings: Settings, key: str) -> None:
    """Write an id to the data folder. Raises InputError for an invalid id."""
    if not _ID.fullmatch(key):
        raise InputError(f"{key!r} is not a valid id of a data folder.")
    write_bytes(settings.home / ID_FILE, f"{key}\n".encode())


def home_has_files(settings: Settings) -> bool:
    """Return whether the data folder has images or run folders."""
    images = settings.images.glob("[0-9a-f][0-9a-f]/*")
    return any(images) or any(path.name.isdecimal() for path in settings.runs.glob("*"))


def _is_new(engine: sa.Engine) -> bool:
    path = sqlite_path(engine.url.render_as_string(hide_password=False))
    if path is not None and (not path.exists() or path.stat().st_size == 0):
        return True  # without connecting, which would create the file
    with engine.connect() as connection, connection.begin():
        return schema_of(connection) is None


def _is_empty(session: Session) -> bool:
    return all(session.scalar(sa.select(kind.id).limit(1)) is None for kind in (Sample, Run))


def _holds_images_of(session: Session, settings: Settings) -> bool:
    """Return whether the data folder has at least half of the database's first hundred images.

    False if the database has no images.
    """
    rows = session.execute(sa.select(Sample.sha256, Sample.extension).limit(IMAGES_CHECKED)).all()
    present = sum((settings.images / key[:2] / f"{key}{end}").is_file() for key, end in rows)
    return bool(rows) and 2 * present >= len(rows)


def _shown(settings: Settings) -> str:
    return sa.make_url(settings.database_url).render_as_string(hide_password=True)


def _database_missing(settings: Settings) -> str:
    source = sqlite_path(settings.database_url)
    copies = migration_copies(source) if source is not None and source.parent.is_dir() else []
    copy = f" A copy from before the last update is at {copies[-1]}." if copies else ""
    return (
        f"The data folder {settings.home} contains images or runs, but the database "
        f"{_shown(settings)} is empty. Nothing was changed. If DATABASE_URL was set before, set it "
        f"again. If the database was moved or lost, move it back or restore a backup.{copy} To "
        "start with an empty studio, set VECAF_HOME to a new folder."
    )


def _wrong_database(settings: Settings, row: Home, known: str | None) -> str:
    this = (
        f"has the id {known}"
        if known
        else "has no id and does not contain the images of this database"
    )
    return (
        f"The database {_shown(settings)} belongs to another data folder: the one with the id "
        f"{row.key}, first used as {row.path} on {row.host}. The current folder, {settings.home}, "
        f"{this}. Nothing was changed. Set VECAF_HOME to that data folder, or DATABASE_URL to the "
        f"database that belongs to {settings.home}. Only if the images of the database "
        f"are lost: write {row.key} into {settings.home / ID_FILE}, then start again."
    )


def _images_missing(settings: Settings, known: str) -> str:
    return (
        f"The data folder {settings.home} (id {known}) does not contain the images of the database "
        f"{_shown(settings)}. Nothing was changed. Set VECAF_HOME to the folder that contains "
        "them, or DATABASE_URL to the database of this folder. Only if the images are lost: delete "
        f"{settings.home / ID_FILE} and start again. Then run `python -m vecaf doctor`, which "
        "lists the missing images and how to restore them."
    )
