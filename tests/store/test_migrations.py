"""Old databases are copied and migrated; newer and damaged ones are refused unchanged."""

from __future__ import annotations

import errno
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from vecaf.errors import UnavailableError, VecafError
from vecaf.settings import Settings
from vecaf.store import Dataset, Run, Sample, Store, Subset, Task, migrate, sqlite_copies
from vecaf.store.models import Base
from vecaf.store.sqlite import library, sqlite_engine
from vecaf.store.sqlite_copies import MAX_COPIES, migration_copies

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


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    return Settings.from_environment({"VECAF_HOME": str(home)})


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


def test_migrating_keeps_all_rows_and_a_copy(settings: Settings) -> None:
    before = make_old(settings, "0002", ROWS)
    assert set(before.values()) == {1}, before
    Store.open(settings).close()
    with closing(library.connect(database(settings))) as connection:
        after = counts(connection)
        assert {name: after[name] for name in before} == before
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert set(after) - {"alembic_version"} == set(Base.metadata.tables)
    (copy,) = migration_copies(database(settings))
    assert copy.name.startswith("studio-0002-")
    with closing(library.connect(copy)) as connection:
        assert counts(connection) == before
    Store.open(settings).close()  # nothing to migrate, so no further copy
    assert migration_copies(database(settings)) == [copy]


def test_file_names_of_migrations_are_their_revisions() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert migrate.known_schemas() == {script.revision for script in scripts.walk_revisions()}
    assert max(migrate.known_schemas()) == scripts.get_current_head()


def test_the_first_schema_is_migrated_to_the_newest(settings: Settings) -> None:
    script = ROWS[: ROWS.index("INSERT INTO edit")].replace(", revision", "").replace(", 3,", ",")
    make_old(settings, "0001", script.replace(",\n    excluded", "").replace("0, 0)", "0)"))
    with Store.open(settings).read() as session:
        assert session.get_one(Dataset, 1).revision == 0
        sample = session.get_one(Sample, 5)
        assert (sample.label, sample.excluded) == (0, False)


def test_the_renamed_setting_of_stored_runs_is_kept(settings: Settings) -> None:
    values = [('{"picks": "replace", "seed": 3}', 7), ('{"seed": 4}', 8)]
    script = "".join(ADD_RUN.format(id_, 1, config) for config, id_ in values)
    make_old(settings, "0007", "PRAGMA foreign_keys = OFF;" + script)
    with Store.open(settings).read() as session:
        found = {run.id: run.config for run in session.query(Run)}
    assert found[7]["training_images"] == "replace" and found[7]["seed"] == 3
    assert "picks" not in found[7] and "training_images" not in found[8]


def test_the_caption_weight_is_renamed_wherever_it_is_stored(settings: Settings) -> None:
    old = '{"text_pull": 0.5, "seed": 3}'
    rows = ROWS
    for values in ("'subset', '{}'", "'map', '{}'", "'r', '{}'"):
        rows = rows.replace(values, values.replace("{}", old))
    make_old(settings, "0002", rows)
    new = {"caption_weight": 0.5, "seed": 3}
    with Store.open(settings).read() as session:
        assert session.get_one(Subset, 1).facts == new
        assert session.query(Task).one().params == new
        assert session.get_one(Run, 7).config == {
            "train_on_captions": "yes",
            "image_size": 96,
            "augmentation": "full",
            "layer_decay": 0.75,
            "head_init": "auto",
            **new,
        }


def test_runs_keep_the_defaults_of_earlier_versions(settings: Settings) -> None:
    configs = {
        7: (1, "{}", 96), 8: (1, '{"image_size": 128, "train_on_captions": "no"}', 128),
        9: (1, '{"model": "vit_small_patch16_224"}', 0), 10: (2, "{}", 0),
    }  # fmt: skip
    script = "PRAGMA foreign_keys = OFF;"
    for dataset, side in ((1, 32), (2, 224)):
        script += (
            "INSERT INTO sample (dataset_id, file_name, sha256, extension, width, height, split) "
            f"VALUES ({dataset}, 'a.png', '', '.png', 300, {side}, 'train');"
        )
    for id_, (dataset, config, _) in configs.items():
        script += ADD_RUN.format(id_, dataset, config)
    make_old(settings, "0011", script)
    with Store.open(settings).read() as session:
        stored = {id_: session.get_one(Run, id_).config for id_ in configs}
    assert {id_: one.get("image_size", 0) for id_, one in stored.items()} == {
        id_: size for id_, (_, _, size) in configs.items()
    }
    assert [one["train_on_captions"] for one in stored.values()] == ["yes", "no", "yes", "yes"]
    assert {(one["augmentation"], one["layer_decay"]) for one in stored.values()} == {
        ("full", 0.75)
    }


def test_runs_keep_the_classifier_that_they_started_from(settings: Settings) -> None:
    known = '"track": "labels-known"'
    cases = {
        7: ("{}", "auto"), 8: ('{"head_init": "text"}', "auto"), 9: (f"{{{known}}}", "text"),
        10: (f'{{{known}, "head_init": "text"}}', "text"), 11: ('{"head_init": "means"}', "means"),
    }  # fmt: skip
    script = "".join(ADD_RUN.format(id_, 1, config) for id_, (config, _) in cases.items())
    make_old(settings, "0015", "PRAGMA foreign_keys = OFF;" + script)
    with Store.open(settings).read() as session:
        stored = {id_: session.get_one(Run, id_).config["head_init"] for id_ in cases}
    assert stored == {id_: after for id_, (_, after) in cases.items()}


def test_only_the_newest_copies_are_kept(settings: Settings) -> None:
    for day in range(1, 6):
        database(settings).with_name(f"studio-0001-2026110{day}T120000.db").touch()
    others = ["studio-old.db", "notes.txt"]
    for name in others:
        (settings.home / name).touch()
    make_old(settings, "0001")
    Store.open(settings).close()
    found = [path.name for path in migration_copies(database(settings))]
    assert len(found) == MAX_COPIES
    assert found[:-1] == ["studio-0001-20261104T120000.db", "studio-0001-20261105T120000.db"]
    assert all((settings.home / name).exists() for name in others)


BAD = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "9000", "{head}"
def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("DELETE FROM sample")
    raise ZeroDivisionError
"""


def test_a_failed_migration_changes_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old(settings, "0002", ROWS)
    Store.open(settings).close()
    scripts = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS, scripts)
    with closing(library.connect(database(settings))) as connection:
        (head,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        before = contents(connection)
    (scripts / "versions" / "9000_bad.py").write_text(BAD.format(head=head))
    monkeypatch.setattr(migrate, "MIGRATIONS", scripts)
    with pytest.raises(ZeroDivisionError):
        Store.open(settings)
    for path in (database(settings), migration_copies(database(settings))[-1]):
        with closing(library.connect(path)) as connection:
            assert contents(connection) == before


def test_nothing_is_migrated_if_the_copy_does_not_fit_on_the_disk(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old(settings, "0002", ROWS)
    before = database(settings).read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sqlite_copies, "check_integrity", full)
    with pytest.raises(UnavailableError, match="is full"):
        Store.open(settings)
    assert database(settings).read_bytes() == before
    assert [path.name for path in settings.home.iterdir()] == ["studio.db"]


def test_a_newer_database_is_refused_unchanged(settings: Settings) -> None:
    Store.open(settings).close()
    with closing(library.connect(database(settings))) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = database(settings).read_bytes()
    with pytest.raises(VecafError, match=r"A newer version.*schema 9999.*Update VeCAF Studio"):
        Store.open(settings)
    assert database(settings).read_bytes() == before


@pytest.mark.parametrize("damage", ["all", "schema", "a row of an old one"])
def test_a_damaged_database_is_reported_unchanged(settings: Settings, damage: str) -> None:
    make_old(settings, "0002", ROWS)
    if damage != "a row of an old one":
        Store.open(settings).close()
    path = database(settings)
    content = path.read_bytes()
    spoiled = b"no database at all " * 100
    if damage == "schema":  # the header is intact, the schema is not
        spoiled = content[:100] + b"\xff" * 4000 + content[4100:]
    elif damage == "a row of an old one":  # found only by the check before migrating
        page = content.rindex(b"train_loss") // 4096 * 4096
        spoiled = content[: page + 8] + b"\xff" * 200 + content[page + 208 :]
    path.write_bytes(spoiled)
    with pytest.raises(VecafError, match="the file is damaged"):
        Store.open(settings)
    assert path.read_bytes() == spoiled
    assert not [one for one in path.parent.iterdir() if one.suffix == ".tmp"]


def test_an_unreachable_database_is_reported(tmp_path: Path) -> None:
    elsewhere = Settings.from_environment(
        {"VECAF_HOME": str(tmp_path), "DATABASE_URL": "sqlite:////nowhere/at/all/studio.db"}
    )
    with pytest.raises(VecafError, match="could not be opened"):
        Store.open(elsewhere)


def test_lone_surrogates_are_removed_from_reports(settings: Settings) -> None:
    """Queries in PostgreSQL fail on JSON that contains a lone surrogate."""
    report = '{"refused": [{"file": "caf\\udce9.jpg"}], "warnings": ["w\\ud83d\\ude00"]}'
    make_old(settings, "0002", ROWS.replace("'{}', 3", f"'{report}', 3"))
    with Store.open(settings).read() as session:
        told = session.get_one(Dataset, 1).report
    assert told == {"refused": [{"file": "caf?.jpg"}], "warnings": ["w\U0001f600"]}
