"""Damage to the database is found at the start, and every command says what to do."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.__main__ import main as start_app
from tests.shapes import write_shapes
from vecaf.commands.cli import app
from vecaf.datasets import import_dataset
from vecaf.engine.worker import main as work
from vecaf.errors import VecafError
from vecaf.housekeeping.doctor import run_checks
from vecaf.settings import Settings
from vecaf.store import Store, integrity
from vecaf.store.integrity import check_at_start
from vecaf.store.sqlite import library
from vecaf.store.sqlite_copies import integrity_errors

COPY = "studio-0005-20261124T120000.db"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings.from_environment({"VECAF_HOME": str(tmp_path / "home")})
    write_shapes(tmp_path / "drawn", 60)
    with closing(Store.open(settings)) as store:
        import_dataset(store, tmp_path / "drawn", "shapes")
    monkeypatch.setenv("VECAF_HOME", str(settings.home))
    return settings


def damage(settings: Settings, holding: bytes) -> None:
    """Overwrite the cell pointers of the last page that contains `holding`; its rows are lost."""
    path = settings.home / "studio.db"
    content = path.read_bytes()
    page = content.rindex(holding) // 4096 * 4096
    path.write_bytes(content[: page + 8] + b"\xff" * 200 + content[page + 208 :])


def errors_in(settings: Settings) -> list[str]:
    with closing(library.connect(settings.home / "studio.db")) as connection:
        return integrity_errors(connection)


def test_all_lines_of_the_integrity_check_are_read(settings: Settings) -> None:
    assert errors_in(settings) == []
    damage(settings, b"disc/0")
    assert len(errors_in(settings)) > 1


def test_a_damaged_database_stops_the_start_and_cleanup(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(settings.home / "studio.db", settings.home / COPY)
    damage(settings, b"disc/0")
    before = sorted(settings.home.rglob("*.png"))
    assert start_app(["--home", str(settings.home), "--port", "7989"]) == 1
    said = capsys.readouterr().err.strip()
    assert "the file is damaged (" in said
    assert "python -m vecaf restore FILE.tar" in said
    assert f"replace the file with the copy from before the last update: {COPY}" in said
    with pytest.raises(VecafError, match="damaged"):
        work(settings)
    for words in (["gc"], ["gc", "--purge"], ["doctor", "--repair"]):
        with pytest.raises(VecafError, match="damaged"):
            CliRunner().invoke(app, words, catch_exceptions=False)
    found = {one.subject: one for one in run_checks(settings)}
    assert (found["database"].ok, found["database"].finding) == (False, said)
    assert "files" not in found
    assert sorted(settings.home.rglob("*.png")) == before


def test_the_start_checks_only_some_tables_of_a_large_database(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "FULL_CHECK_BYTES", 0)
    with closing(Store.open(settings)) as store:
        check_at_start(store)
        damage(settings, b"disc/0")  # in a sample, which doctor finds
        check_at_start(store)
        assert errors_in(settings)
        damage(settings, b"local owner")
        with pytest.raises(VecafError, match="damaged"):
            check_at_start(store)
