"""Connections: SQLite made safe, PostgreSQL as it comes, the schema brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import VecafError
from vecaf.settings import Settings
from vecaf.store.copies import damaged
from vecaf.store.models import User
from vecaf.store.sqlite import settle_journal, sqlite_engine

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
            if store.engine.dialect.name == "sqlite":
                settle_journal(store.engine)
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
    if url.startswith("sqlite"):
        return sqlite_engine(url)
    return sa.create_engine(url, pool_pre_ping=True)


def _cannot_open(url: str, error: Exception) -> str:
    shown = sa.make_url(url).render_as_string(hide_password=True)
    if "malformed" in str(error) or "not a database" in str(error):
        return damaged(Path(sa.make_url(url).database or ""))
    return f"The database {shown} can't be opened: {getattr(error, 'orig', error)}."
