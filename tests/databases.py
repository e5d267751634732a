"""The databases for tests: SQLite in the test's home, and a private PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from vecaf.settings import Settings
from vecaf.store import Store, migrate
from vecaf.store.models import Home
from vecaf.store.sqlite import sqlite_engine
from vecaf.store.sqlite_copies import sqlite_path

DATABASES = ("sqlite", "postgresql")
both_databases = pytest.mark.parametrize("database", DATABASES, indirect=True)
"""Marks tests that run with both databases. Their fixtures use `database`, the DATABASE_URL."""
postgresql_in_soak = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)], indirect=True
)
"""Marks tests that run with SQLite, and with PostgreSQL only in `./test --soak`."""
only_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


def address(request: pytest.FixtureRequest) -> str:
    """Return the DATABASE_URL for a fixture's parameter, one of DATABASES (default: SQLite)."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return ""
    found: Server = request.getfixturevalue("postgresql")
    return found.new()


@contextmanager
def copied_schema(folder: Path) -> Iterator[None]:
    """Let new SQLite databases of this process start as copies of one that was migrated."""
    template = folder / "template.db"
    lock, migrated = threading.Lock(), migrate.upgrade
    migrated(sqlite_engine(f"sqlite:///{template}"))

    def upgrade(engine: sa.Engine) -> None:
        path = sqlite_path(engine.url.render_as_string(hide_password=False))
        if path is not None:
            with lock:
                if not path.exists():
                    copy = path.with_suffix(".copy")
                    try:
                        shutil.copyfile(template, copy).rename(path)
                    except OSError:  # such as a full disk: let the migration report it
                        copy.unlink(missing_ok=True)
        migrated(engine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "upgrade", upgrade)
        yield


class Server:
    """The PostgreSQL server of this test session, on a socket in its own folder."""

    def __init__(self, socket: Path, command: list[str]) -> None:
        """Start the server with `command`."""
        self._socket, self._command = socket, command
        self._process = self._start()
        self._numbers = count(1)
        self._template = False

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self._socket}"

    def new(self, *, empty: bool = False) -> str:
        """Create a database, empty or with the newest schema, and return its URL."""
        if not empty and not self._template:
            self._create("template", "template0")
            settings = {"VECAF_HOME": str(self._socket), "DATABASE_URL": self.url("template")}
            store = Store.open(Settings.from_environment(settings))
            with store.write() as session:
                session.execute(
                    sa.delete(Home)
                )  # so that each copy is paired with the home that opens it
            store.close()
            self._template = True
        name = f"test{next(self._numbers)}"
        self._create(name, "template0" if empty else "template")
        return self.url(name)

    def stop(self) -> None:
        """Stop the server and end all connections."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def restart(self, after: float) -> None:
        """Stop the server, and start it again after `after` seconds."""
        self.stop()
        time.sleep(after)
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with (self._socket / "log.txt").open("ab") as log:
            process = subprocess.Popen(self._command, cwd=self._socket, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return process
            except psycopg.OperationalError:
                words = (self._socket / "log.txt").read_text()
                assert process.poll() is None and time.monotonic() < deadline, words
                time.sleep(0.05)

    def _create(self, name: str, template: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())


@contextmanager
def server() -> Iterator[Server]:
    """Create and start a server; it stops with the block or this process."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.fail("PostgreSQL is not installed; ./test installs it (apt-get install postgresql).")
    folder = Path(tempfile.mkdtemp(prefix="vecaf-pg-"))
    become = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        become += ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        shutil.chown(folder, "postgres", "postgres")
    data = str(folder / "data")
    make = [str(programs[-1] / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]
    options = {
        "listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off",
        "max_connections": "60", "shared_buffers": "32MB",
    }  # fmt: skip
    serve = [str(programs[-1] / "postgres"), "-D", data]
    for name, value in options.items():
        serve += ["-c", f"{name}={value}"]
    try:
        made = subprocess.run([*become, *make], cwd=folder, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        found = Server(folder, [*become, *serve])
        try:
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
