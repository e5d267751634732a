"""Old databases are copied and migrated; newer and damaged ones are refused unchanged."""

from __future__ import annotations

import errno
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.store.old_databases import ROWS, contents, counts, database, make_old
from vecaf.errors import UnavailableError, VecafError
from vecaf.settings import Settings
from vecaf.store import Dataset, Sample, Store, migrate, sqlite_copies
from vecaf.store.models import Base
from vecaf.store.sqlite import library
from vecaf.store.sqlite_copies import MAX_COPIES, migration_copies


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    return Settings.from_environment({"VECAF_HOME": str(home)})


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
