"""Migrate the database to this version's schema, after copying it; refuse a newer schema."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from vecaf.errors import VecafError
from vecaf.store.models import now
from vecaf.store.sqlite_copies import copy_before_migration, sqlite_path

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x5643_4146  # "VCAF": one migration at a time on PostgreSQL


def upgrade(engine: sa.Engine) -> None:
    """Migrate the database to the newest schema. Several processes can call this at once.

    A SQLite file is checked and copied first (see `vecaf.store.sqlite_copies`). After an error, the
    database is unchanged.

    Raises
    ------
    VecafError
        The database was written by a newer version, or is damaged.
    UnavailableError
        The disk has no space for the copy.
    """
    config = _config()
    head = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection, connection.begin():
        if schema_of(connection) == head:
            return
    locked = engine.execution_options(vecaf_begin="BEGIN IMMEDIATE")
    with locked.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        current = schema_of(connection)
        if current is not None and current not in known_schemas():
            raise VecafError(
                f"A newer version of VeCAF Studio wrote this database (schema {current}). "
                "Update VeCAF Studio, or set VECAF_HOME to another folder."
            )
        source = sqlite_path(engine.url.render_as_string(hide_password=False))
        if source is not None and current not in (None, head):
            copy_before_migration(source, current, now())
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def schema_of(connection: sa.Connection) -> str | None:
    """Return the database's schema version; None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def known_schemas() -> set[str]:
    """Return the schema versions that this version can open, migrating older ones."""
    scripts = ScriptDirectory.from_config(_config())
    return {script.revision for script in scripts.walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
