"""Connections: SQLite made safe, PostgreSQL as it comes, the schema brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import InputError, UnavailableError, VecafError
from vecaf.files import DISK_FULL
from vecaf.settings import Settings
from vecaf.store.models import User
from vecaf.store.sqlite import JOURNAL, is_damaged, library, settle_journal, sqlite_engine
from vecaf.store.sqlite import is_full as sqlite_is_full
from vecaf.store.sqlite_copies import damaged_message, sqlite_path

LOCAL_OWNER = "local owner"
_ONE_WRITER = 0x5643_4157  # "VCAW": the name of a lock on PostgreSQL
# A process that is stopped amid a transaction must not hold up those that take over from it.
_PATIENCE = "-c lock_timeout=30s -c idle_in_transaction_session_timeout=20s"


class Store:
    """The database, opened for one process. Sessions are short: read or write, then closed."""

    def __init__(self, settings: Settings) -> None:
        """Connect; nothing is created or checked yet (`Store.open` does both).

        Raises InputError for an address that names neither SQLite nor PostgreSQL.
        """
        self.settings = settings
        self.engine = _engine(settings.database_url)
        self._writer = self.engine.execution_options(vecaf_begin="BEGIN IMMEDIATE")
        self._held: Any = None
        self._owner: int | None = None

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Create the home folder where it is missing, bring the schema up to date, connect.

        Raises VecafError when the database is newer than this program, corrupt or out of reach,
        InputError when it does not belong to this home or the home can't be used.
        """
        from vecaf.store.home import check_database_exists, make_home, pair_home
        from vecaf.store.migrate import upgrade

        make_home(settings)
        store = cls(settings)
        try:
            check_database_exists(settings, store.engine)
            upgrade(store.engine)
            if store.engine.dialect.name == "sqlite":
                settle_journal(store.engine)
                store._hold()
            pair_home(store)
        except sa.exc.DatabaseError as error:
            if sqlite_is_full(error, settings.home):
                raise UnavailableError(DISK_FULL) from error
            raise VecafError(_cannot_open(settings.database_url, error)) from error
        return store

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads; it never blocks a writer for longer than the block."""
        with self._saying_if_full(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self, *, alone: bool = True) -> Iterator[Session]:
        """A session that takes the write lock at once and commits at the end of the block.

        What it reads therefore still holds when it writes. SQLite lets in one writer at a time
        anyway; PostgreSQL does so here, too, unless the caller locks the rows that it depends on
        itself and says so by `alone=False`. Raises UnavailableError when the disk is full: then
        nothing was written.
        """
        with (
            self._saying_if_full(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            if alone and self.engine.dialect.name == "postgresql":
                session.execute(sa.select(sa.func.pg_advisory_xact_lock(_ONE_WRITER)))
            yield session

    def try_write(self, statement: sa.Executable) -> bool:
        """Execute a statement unless another writer would have to be waited for, or the disk is
        full; whether it was executed. For what is only nice to have."""
        # Both settings end with the connection or transaction: SQLite's is closed, not pooled.
        sqlite = self.engine.dialect.name == "sqlite"
        at_once = "PRAGMA busy_timeout = 0" if sqlite else "SET LOCAL lock_timeout = '10ms'"
        try:
            with self.engine.begin() as connection:
                connection.exec_driver_sql(at_once)
                connection.execute(statement)
        except sa.exc.OperationalError:
            return False
        return True

    def owner(self) -> int:
        """Return the id of the local owner, who is everybody where accounts are off."""
        if self._owner is None:  # the row is never deleted, and every request asks for it
            self._owner = self._find_owner()
        return self._owner

    def _find_owner(self) -> int:
        with self.read() as session:
            found = session.scalar(sa.select(User.id).where(User.name == LOCAL_OWNER))
        if found is not None:
            return found
        try:
            with self.write(alone=False) as session:
                user = User(name=LOCAL_OWNER)
                session.add(user)
                session.flush()
                return user.id
        except sa.exc.IntegrityError:  # another process was first
            return self._find_owner()

    def close(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None
        self.engine.dispose()

    def _hold(self) -> None:
        """Keep a connection that does nothing: while one is open the write-ahead log and its index
        stay, which saves every session from making them, and lets pages read on a full disk."""
        path = sqlite_path(self.settings.database_url)
        if JOURNAL == "wal" and path is not None:
            self._held = library.connect(path, check_same_thread=False)
            self._held.execute("SELECT count(*) FROM sqlite_master").fetchall()

    @contextmanager
    def _saying_if_full(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.OperationalError as error:
            if sqlite_is_full(error, self.settings.home):
                raise UnavailableError(DISK_FULL) from error
            raise


def _engine(url: str) -> sa.Engine:
    if url.startswith("sqlite"):
        return sqlite_engine(url)
    if not url.startswith("postgres"):
        raise InputError(
            "DATABASE_URL must begin with postgresql:// (or be unset: SQLite below VECAF_HOME)."
        )
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    return sa.create_engine(
        address, pool_pre_ping=True, connect_args={"options": _PATIENCE, "connect_timeout": 10}
    )


def _cannot_open(url: str, error: Exception) -> str:
    shown = sa.make_url(url).render_as_string(hide_password=True)
    if is_damaged(error):
        return damaged_message(Path(sa.make_url(url).database or ""))
    return f"The database {shown} can't be opened: {getattr(error, 'orig', error)}."
