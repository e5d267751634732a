"""Migrate the database to this version's schema, after copying it; refuse a newer schema."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from vecaf.errors import VecafError
from vecaf.store.models import now
from vecaf.store.sqlite_copies import copy_before_migration, sqlite_path

MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = sa.table("alembic_version", sa.column("version_num", sa.String))
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
    head = max(known_schemas())
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
        _apply_migrations(connection)


def schema_of(connection: sa.Connection) -> str | None:
    """Return the database's schema version; None for an empty database."""
    if not sa.inspect(connection).has_table(VERSIONS.name):
        return None
    version: str | None = connection.scalar(sa.select(VERSIONS.c.version_num))
    return version


def known_schemas() -> set[str]:
    """Return the schema versions that this version can open, migrating older ones."""
    names = (path.name for path in MIGRATIONS.glob("versions/[0-9]*.py"))
    return {name.partition("_")[0] for name in names}


def _apply_migrations(connection: sa.Connection) -> None:
    # Alembic is imported only here: most processes find a current schema.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
