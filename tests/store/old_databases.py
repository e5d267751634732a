"""Databases with an earlier schema, for the tests of migrations."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config

from vecaf.settings import Settings
from vecaf.store import migrate
from vecaf.store.sqlite import library, sqlite_engine

MOMENT = "2026-11-24 12:00:00.000000"
# One row of every table of schema 0002. Later migrations must keep all of them.
ROWS = f"""
INSERT INTO user VALUES (1, 'local owner', '{MOMENT}');
INSERT INTO dataset (id, owner_id, name, classes, content_hash, source, report, revision,
    created_at) VALUES (1, 1, 'pets', '["cat"]', '', '', '{{}}', 3, '{MOMENT}');
INSERT INTO sample (id, dataset_id, file_name, sha256, extension, width, height, split, label,
    excluded) VALUES (5, 1, 'a.png', '', '.png', 8, 8, 'train', 0, 0);
INSERT INTO edit VALUES (1, 1, 1, 'label', 1, 0, '{MOMENT}');
INSERT INTO class_change VALUES (1, 0, 'cat', NULL);
INSERT INTO annotation (sample_id, user_id, edit_id, kind, value, created_at)
    VALUES (5, 1, 1, 'label', 'cat', '{MOMENT}');
INSERT INTO subset VALUES (1, 1, 1, 'chosen', 'subset', '{{}}', '{MOMENT}');
INSERT INTO subset_sample VALUES (1, 0, 5, '{{}}');
INSERT INTO task (owner_id, dataset_id, kind, params, state, stage, done, total, result,
    cancel_requested, submission, attempt, created_at)
    VALUES (1, 1, 'map', '{{}}', 'finished', '', 0, 0, '{{}}', 0, 1, 1, '{MOMENT}');
INSERT INTO import (owner_id, name, source, state, stage, done, total, cancel_requested,
    submission, attempt, created_at)
    VALUES (1, 'pets', 'x', 'finished', '', 0, 0, 0, 1, 1, '{MOMENT}');
INSERT INTO embedding_set VALUES (1, 'f', 'm', 8, '{{}}', '{MOMENT}');
INSERT INTO run (id, owner_id, dataset_id, name, config, seed, state, stage, done, total,
    submission, attempt, cancel_requested, created_at)
    VALUES (7, 1, 1, 'r', '{{}}', 0, 'finished', '', 0, 0, 1, 1, 0, '{MOMENT}');
INSERT INTO round VALUES (7, 1, 1, 1, 0.5, 0.5, '{{}}', 1.0, '{MOMENT}');
INSERT INTO selection VALUES (7, 1, 0, 5, '{{}}');
INSERT INTO metric (run_id, round, step, name, value) VALUES (7, 1, 1, 'train_loss', 1.0);
INSERT INTO event (run_id, level, message, created_at) VALUES (7, 'info', 'x', '{MOMENT}');
INSERT INTO artifact (run_id, kind, path, sha256, bytes, created_at)
    VALUES (7, 'model', 'p', '', 1, '{MOMENT}');
INSERT INTO worker VALUES ('w', 1, 'h', '{MOMENT}', '{MOMENT}');
"""

ADD_RUN = (
    "INSERT INTO run (id, owner_id, dataset_id, name, config, seed, state, stage, done, total, "
    "attempt, cancel_requested, created_at) "
    f"VALUES ({{}}, 1, {{}}, 'r', '{{}}', 0, 'finished', '', 0, 0, 1, 0, '{MOMENT}');"
)


def database(settings: Settings) -> Path:
    return settings.home / "studio.db"


def make_old(settings: Settings, revision: str, script: str = "") -> dict[str, int]:
    """Create a database with an earlier schema and the rows of `script`; return row counts."""
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    engine = sqlite_engine(settings.database_url)
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    with closing(library.connect(database(settings))) as connection:
        connection.executescript(script)
        return counts(connection)


def contents(connection: library.Connection) -> dict[str, list[tuple[object, ...]]]:  # type: ignore[name-defined]
    """Return the rows of every table."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    names = [name for (name,) in connection.execute(query)]
    return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}


def counts(connection: library.Connection) -> dict[str, int]:  # type: ignore[name-defined]
    return {name: len(rows) for name, rows in contents(connection).items()}
