"""A home and its database have the same id; others are refused."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.__main__ import main as start_app
from tests.databases import Server
from tests.shapes import write_shapes
from vecaf.commands.cli import app
from vecaf.commands.cli import main as command_line
from vecaf.datasets import import_dataset
from vecaf.errors import InputError
from vecaf.housekeeping.backup import restore, write_backup
from vecaf.housekeeping.doctor import run_checks
from vecaf.settings import Settings
from vecaf.store import Dataset, Sample, Store
from vecaf.store.home import ID_FILE, read_home_id
from vecaf.store.models import Home
from vecaf.store.sqlite import library


def settings_of(home: Path, url: str = "") -> Settings:
    return Settings.from_environment({"VECAF_HOME": str(home), "DATABASE_URL": url})


def home_with_images(settings: Settings) -> None:
    """Create a home with six images that are old enough for cleanup to check them."""
    drawn = settings.home.with_name(f"{settings.home.name}-drawn")
    write_shapes(drawn, 6)
    with closing(Store.open(settings)) as store:
        import_dataset(store, drawn, "shapes")
    for path in settings.images.glob("??/*"):
        os.utime(path, (0, 0))


def images(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.images.glob("??/*"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Settings]:
    settings = settings_of(tmp_path / "home")
    home_with_images(settings)
    before = images(settings)
    assert len(before) == 6
    yield settings
    assert images(settings) == before


def error_of_every_command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run every command that deletes, writes or serves; return the error that all of them print."""
    monkeypatch.setenv("VECAF_HOME", str(settings.home))
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    said = set()
    for words in (["gc"], ["gc", "--purge", "--force"], ["doctor", "--repair"], ["worker"],
                  ["datasets"], ["import", "x.zip", "--name", "x"]):  # fmt: skip
        with pytest.raises(InputError) as error:
            CliRunner().invoke(app, words, catch_exceptions=False)
        said.add(str(error.value))
    found = {one.subject: one for one in run_checks(settings)}
    assert not found["database"].ok
    assert "--repair" not in found["database"].finding
    assert "files" not in found
    (sentence,) = said | {found["database"].finding}
    return sentence


@pytest.mark.parametrize("left", ["nothing", "an empty file", "a fresh schema"])
def test_a_lost_database_deletes_no_files(
    home: Settings, left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = home.home / "studio.db"
    database.rename(tmp_path / "away.db")
    if left == "an empty file":
        database.touch()
    elif left == "a fresh schema":  # as an earlier version created it
        Store.open(settings_of(tmp_path / "other")).close()
        shutil.copy(tmp_path / "other" / "studio.db", database)
        with closing(library.connect(database)) as connection:
            connection.execute("DELETE FROM home")
            connection.commit()
    before = database.stat().st_size if database.exists() else None
    sentence = error_of_every_command(home, monkeypatch)
    assert "is empty. Nothing was changed. If DATABASE_URL was set before" in sentence
    assert (database.stat().st_size if database.exists() else None) == before
    database.unlink(missing_ok=True)
    (tmp_path / "away.db").rename(database)
    Store.open(home).close()


def test_a_missing_database_url_deletes_no_files(
    tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path / "home", postgresql.new())
    home_with_images(settings)
    error_of_every_command(settings_of(settings.home), monkeypatch)
    assert [path.name for path in settings.home.glob("*.db")] == []
    assert len(images(settings)) == 6


def test_the_database_of_another_home_is_refused(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = settings_of(tmp_path / "other")
    home_with_images(other)
    crossed = replace(home, database_url=other.database_url)
    sentence = error_of_every_command(crossed, monkeypatch)
    assert f"the one with the id {read_home_id(other)}, first used as {other.home} on " in sentence
    assert f"The current folder, {home.home}, has the id {read_home_id(home)}." in sentence
    empty = settings_of(tmp_path / "empty", other.database_url)
    assert "has no id" in error_of_every_command(empty, monkeypatch)


def test_machines_that_share_a_home_read_the_same_id(tmp_path: Path, postgresql: Server) -> None:
    settings = settings_of(tmp_path / "home", postgresql.new())
    home_with_images(settings)
    first = read_home_id(settings)
    Store.open(settings).close()
    shutil.move(settings.home, tmp_path / "moved")
    moved = replace(settings, home=tmp_path / "moved")
    with closing(Store.open(moved)) as store, store.read() as session:
        assert session.scalar(sa.select(Home.key)) == first == read_home_id(moved)
    shutil.copytree(moved.home, tmp_path / "copied")
    Store.open(replace(settings, home=tmp_path / "copied")).close()


def test_an_old_home_without_an_id_gets_one(home: Settings) -> None:
    remove_ids(home, file=True, row=True)
    with closing(Store.open(home)) as store, store.read() as session:
        assert session.scalar(sa.select(Home.key)) == read_home_id(home)
        assert session.scalar(sa.select(sa.func.count(Sample.id))) == 6


@pytest.mark.parametrize("lost", ["file", "row"])
def test_a_lost_id_is_restored_if_the_images_match(
    home: Settings, lost: str, tmp_path: Path
) -> None:
    """For example, restoring the copy from before an update loses the row."""
    first = read_home_id(home)
    remove_ids(home, file=lost == "file", row=lost == "row")
    Store.open(home).close()
    assert read_home_id(home) == first
    remove_ids(home, file=lost == "file", row=lost == "row")
    away = home.images.rename(tmp_path / "images")
    with pytest.raises(InputError, match="does not contain") as error:
        Store.open(home)
    follow(str(error.value), home)
    Store.open(home).close()
    assert "6 images" in next(one.finding for one in run_checks(home) if one.subject == "files")
    away.rename(home.images)


def follow(advice: str, settings: Settings) -> None:
    """Do what the error says about a home that has lost its images."""
    path = settings.home / ID_FILE
    if f"delete {path}" in advice:
        path.unlink()
    found = re.search(rf"write ([0-9a-f]{{16}}) into {re.escape(str(path))}", advice)
    if found:
        path.write_text(found[1])


def remove_ids(settings: Settings, *, file: bool, row: bool) -> None:
    if file:
        (settings.home / ID_FILE).unlink()
    if row:
        with closing(library.connect(settings.home / "studio.db")) as connection:
            connection.execute("DELETE FROM home")
            connection.commit()


def test_a_backup_includes_the_id(home: Settings, tmp_path: Path) -> None:
    with closing(Store.open(home)) as store:
        write_backup(store, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "new")
    restored = settings_of(tmp_path / "new")
    assert read_home_id(restored) == read_home_id(home)
    with closing(Store.open(restored)) as again, again.read() as session:
        assert session.scalar(sa.select(Dataset.name)) == "shapes"


def test_an_empty_home_stays_paired_with_its_database(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "home")
    Store.open(settings).close()
    Store.open(settings).close()
    (settings.home / "studio.db").unlink()  # a new one is created
    Store.open(settings).close()
    new = settings_of(
        tmp_path / "new", settings.database_url
    )  # for example, after the folder was lost
    Store.open(new).close()
    assert read_home_id(new) == read_home_id(settings)


@pytest.mark.parametrize("broken", ["a file", "below a file"])
def test_a_home_that_is_not_a_folder_gives_a_clear_error(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" if broken == "a file" else tmp_path / "file" / "home"
    assert start_app(["--home", str(place), "--port", "7989"]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"The data folder {place} ")
    assert said.endswith("Set VECAF_HOME or --home to a folder that you can write to.")
    monkeypatch.setenv("VECAF_HOME", str(place))
    monkeypatch.setattr("sys.argv", ["vecaf", "datasets"])
    with pytest.raises(SystemExit) as ended:
        command_line()
    assert (ended.value.code, capsys.readouterr().err.strip()) == (2, f"vecaf: {said}")
    found = {one.subject: one for one in run_checks(settings_of(place))}
    assert (found["home"].ok, "database" in found) == (False, False)
