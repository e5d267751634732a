"""Schema versions: upgrade to this program's after a copy was kept, refuse a newer one."""

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
    """Bring the database to the newest schema; safe when several processes start at once.

    A SQLite file is checked and copied (see `vecaf.store.sqlite_copies`) before it is changed.
    Raises VecafError when the database was written by a newer program or is damaged,
    UnavailableError when the disk is too full for the copy; it is as it was then.
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
                f"This database has schema {current}, which is newer than this program. "
                "Update VeCAF Studio, or point VECAF_HOME at another folder."
            )
        source = sqlite_path(engine.url.render_as_string(hide_password=False))
        if source is not None and current not in (None, head):
            copy_before_migration(source, current, now())
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def schema_of(connection: sa.Connection) -> str | None:
    """The schema that a database has; None where it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def known_schemas() -> set[str]:
    """The schemas that this program can open, by migrating where they are old."""
    scripts = ScriptDirectory.from_config(_config())
    return {script.revision for script in scripts.walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
