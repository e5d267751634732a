"""The home folder and its database: both carry one id, so that neither is used with another.

Cleaning up deletes files that no row names. It must know that these are the rows of this home: a
database that was just created, or one of another home, names none of its files.
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

FILE = "home-id"
ONLY = 1  # the id of the table's one row
LOOKED_AT = 100  # images of a database that are looked for in a home
_ID = re.compile(r"[0-9a-f]{16}")


class Sessions(Protocol):
    """The part of a store that `pair_home` needs."""

    settings: Settings

    def read(self) -> AbstractContextManager[Session]: ...

    def write(self) -> AbstractContextManager[Session]: ...


def make_home(settings: Settings) -> None:
    """Create the home folder where it is missing. Raises InputError where that can't be done."""
    home, advice = settings.home, "Set VECAF_HOME or --home to a folder that you can write to."
    try:
        if home.exists() and not home.is_dir():
            raise InputError(f"The home {home} is a file, not a folder. {advice}")
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The home {home} can't be created ({error.strerror}). {advice}"
        ) from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise InputError(f"The home {home} can't be written to. {advice}")


def check_database_exists(settings: Settings, engine: sa.Engine) -> None:
    """Raise InputError where the database is not there or has no schema yet, but the home holds
    images or runs. Called before anything is created."""
    if home_has_files(settings) and _is_new(engine):
        raise InputError(_names_nothing(settings))


def pair_home(store: Sessions) -> None:
    """Check that the home and the database carry the same id; give them one where both lack it.

    Where one of them lacks it (a database of an earlier schema was put back, say), it gets the
    other's if the home holds the images that the database names, or if neither holds any. Raises
    InputError where they don't belong together.
    """
    settings = store.settings
    with store.read() as session:
        row = session.get(Home, ONLY)
    if row is not None and row.key == read_home_id(settings):
        return
    with store.write() as session:
        row, known = session.get(Home, ONLY), read_home_id(settings)
        if row is not None and row.key == known:  # another process was first
            return
        empty, files = _is_empty(session), home_has_files(settings)
        matches = _holds_images_of(session, settings) or (empty and not files)
        if row is None and empty and files:
            raise InputError(_names_nothing(settings))
        if row is not None and (known is not None or not matches):
            raise InputError(_of_another_home(settings, row, known))
        if known is not None and not matches:
            raise InputError(_of_other_images(settings, known))
        key = known or (secrets.token_hex(8) if row is None else row.key)
        if known is None:
            write_home_id(settings, key)
        if row is None:
            where = {"path": str(settings.home), "host": socket.gethostname()}
            session.add(Home(id=ONLY, key=key, **where))


def read_home_id(settings: Settings) -> str | None:
    """The id that the home folder carries; None if it has no readable id."""
    path = settings.home / FILE
    text = path.read_text(errors="replace").strip() if path.is_file() else ""
    return text if _ID.fullmatch(text) else None


def write_home_id(settings: Settings, key: str) -> None:
    """Write an id to the home folder. Raises InputError for a text that is not an id."""
    if not _ID.fullmatch(key):
        raise InputError(f"{key!r} is not the id of a home.")
    write_bytes(settings.home / FILE, f"{key}\n".encode())


def home_has_files(settings: Settings) -> bool:
    """Whether a home holds images or folders of runs."""
    images = settings.images.glob("[0-9a-f][0-9a-f]/*")
    return any(images) or any(path.name.isdecimal() for path in settings.runs.glob("*"))


def _is_new(engine: sa.Engine) -> bool:
    path = sqlite_path(engine.url.render_as_string(hide_password=False))
    if path is not None and (not path.exists() or path.stat().st_size == 0):
        return True  # connecting would create the file
    with engine.connect() as connection, connection.begin():
        return schema_of(connection) is None


def _is_empty(session: Session) -> bool:
    return all(session.scalar(sa.select(kind.id).limit(1)) is None for kind in (Sample, Run))


def _holds_images_of(session: Session, settings: Settings) -> bool:
    """Whether the home holds at least half of the first hundred images that the database names.
    False for a database without images, which belongs to no home in particular."""
    rows = session.execute(sa.select(Sample.sha256, Sample.extension).limit(LOOKED_AT)).all()
    there = sum((settings.images / key[:2] / f"{key}{end}").is_file() for key, end in rows)
    return bool(rows) and 2 * there >= len(rows)


def _shown(settings: Settings) -> str:
    return sa.make_url(settings.database_url).render_as_string(hide_password=True)


def _names_nothing(settings: Settings) -> str:
    source = sqlite_path(settings.database_url)
    copies = migration_copies(source) if source is not None and source.parent.is_dir() else []
    copy = f" The copy {copies[-1]} was kept before an update." if copies else ""
    return (
        f"The home {settings.home} holds images or runs, but the database {_shown(settings)} is "
        "empty. Nothing was changed. If DATABASE_URL was set before, set it again. If the "
        f"database was moved or lost, put it back or restore a backup.{copy} To start with an "
        "empty studio, set VECAF_HOME to a new folder."
    )


def _of_another_home(settings: Settings, row: Home, known: str | None) -> str:
    this = f"is the home {known}" if known else "has no id and does not hold its images"
    return (
        f"The database {_shown(settings)} belongs to the home {row.key} (first used as {row.path} "
        f"on {row.host}), but {settings.home} {this}. Nothing was changed. Set VECAF_HOME to the "
        f"folder of the home {row.key}, or DATABASE_URL to the database of {settings.home}."
    )


def _of_other_images(settings: Settings, known: str) -> str:
    return (
        f"The database {_shown(settings)} names images that {settings.home} (the home {known}) "
        "does not hold. Nothing was changed. Set VECAF_HOME to the folder that holds them, or "
        "DATABASE_URL to the database of this home."
    )
