"""Open the database (SQLite or PostgreSQL), migrate its schema, and hand out sessions."""

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
_WRITER_LOCK = 0x5643_4157  # "VCAW": key of an advisory lock on PostgreSQL
# A process that is suspended within a transaction must not block the ones that replace it.
_TIMEOUTS = "-c lock_timeout=30s -c idle_in_transaction_session_timeout=20s"


class Store:
    """The database of one process. Sessions are short: open one, read or write, close it."""

    def __init__(self, settings: Settings) -> None:
        """Create the engine without creating or checking anything; see `Store.open`.

        Raises InputError if the URL names neither SQLite nor PostgreSQL.
        """
        self.settings = settings
        self.engine = _engine(settings.database_url)
        self._writer = self.engine.execution_options(vecaf_begin="BEGIN IMMEDIATE")
        self._kept_connection: Any = None
        self._owner: int | None = None

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Create the data folder if it is missing, migrate the schema and connect.

        Raises
        ------
        VecafError
            The database is damaged, unreachable, or was written by a newer version.
        InputError
            The database belongs to another data folder, or the data folder can't be used.
        UnavailableError
            The disk is full.
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
                store._keep_connection()
            pair_home(store)
        except sa.exc.DatabaseError as error:
            if sqlite_is_full(error, settings.home):
                raise UnavailableError(DISK_FULL) from error
            raise VecafError(_cannot_open(settings.database_url, error)) from error
        return store

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a read-only session. It can block writers until the block ends: keep it short."""
        with (
            self._convert_disk_full_errors(),
            Session(self.engine, expire_on_commit=False) as session,
        ):
            yield session

    @contextmanager
    def write(self, *, exclusive: bool = True) -> Iterator[Session]:
        """Open a session that takes the write lock at once and commits when the block ends.

        No other writer can change what the session has read before it writes.

        Parameters
        ----------
        exclusive
            On PostgreSQL, wait for the lock that allows one writer at a time. Pass False only if
            the block locks the rows that it depends on. SQLite always allows one writer.

        Raises
        ------
        UnavailableError
            The disk is full; nothing was written.
        """
        with (
            self._convert_disk_full_errors(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            if exclusive and self.engine.dialect.name == "postgresql":
                session.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER_LOCK)))
            yield session

    def try_write(self, statement: sa.Executable) -> bool:
        """Execute a statement that may be skipped; return whether it was executed.

        It is skipped if another writer holds the lock or the disk is full.
        """
        # Both settings last only as long as the connection (SQLite, not pooled) or transaction.
        sqlite = self.engine.dialect.name == "sqlite"
        at_once = "PRAGMA busy_timeout = 0" if sqlite else "SET LOCAL lock_timeout = '10ms'"
        try:
            with self.engine.begin() as connection:
                connection.exec_driver_sql(at_once)
                connection.execute(statement)
        except sa.exc.OperationalError:
            return False
        return True

    def version(self) -> int | None:
        """Return a number that changes with every commit of another connection.

        Reading it takes a hundredth of the time of a query. Returns None for databases without such
        a number: PostgreSQL, and SQLite with a rollback journal.
        """
        if self._kept_connection is None:
            return None
        version: int = self._kept_connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def owner(self) -> int:
        """Return the id of the local owner: the only user when accounts are off."""
        if self._owner is None:  # cached, since every request needs it; the row is never deleted
            self._owner = self._find_owner()
        return self._owner

    def _find_owner(self) -> int:
        with self.read() as session:
            found = session.scalar(sa.select(User.id).where(User.name == LOCAL_OWNER))
        if found is not None:
            return found
        try:
            with self.write(exclusive=False) as session:
                user = User(name=LOCAL_OWNER)
                session.add(user)
                session.flush()
                return user.id
        except sa.exc.IntegrityError:  # another process created the row first
            return self._find_owner()

    def close(self) -> None:
        """Close all connections."""
        if self._kept_connection is not None:
            self._kept_connection.close()
            self._kept_connection = None
        self.engine.dispose()

    def _keep_connection(self) -> None:
        """Keep an idle connection open, so that SQLite keeps the write-ahead log and its index.

        Sessions then don't have to create these files, and pages can read on a full disk.
        """
        path = sqlite_path(self.settings.database_url)
        if JOURNAL == "wal" and path is not None:
            self._kept_connection = library.connect(path, check_same_thread=False)
            self._kept_connection.execute("SELECT count(*) FROM sqlite_master").fetchall()

    @contextmanager
    def _convert_disk_full_errors(self) -> Iterator[None]:
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
            "DATABASE_URL must begin with postgresql://. To use SQLite in VECAF_HOME, leave it "
            "unset."
        )
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    return sa.create_engine(
        address, pool_pre_ping=True, connect_args={"options": _TIMEOUTS, "connect_timeout": 10}
    )


def _cannot_open(url: str, error: Exception) -> str:
    shown = sa.make_url(url).render_as_string(hide_password=True)
    if is_damaged(error):
        return damaged_message(Path(sa.make_url(url).database or ""))
    return f"The database {shown} could not be opened: {getattr(error, 'orig', error)}."
