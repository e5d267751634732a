"""Backups made during writes are consistent, and restored runs resume; damage is detected."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.databases import Server, only_postgresql
from tests.finished import new_studio
from tests.shapes import write_shapes
from vecaf.datasets import import_dataset
from vecaf.errors import InputError, VecafError
from vecaf.housekeeping.backup import UPLOAD_LOST, restore, write_backup
from vecaf.settings import Settings
from vecaf.store import (
    FAILED,
    QUEUED,
    Artifact,
    Dataset,
    Import,
    Sample,
    Store,
)  # fmt: skip


def opened(home: Path) -> Store:
    return Store.open(Settings.from_environment({"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu"}))


def check_whole(store: Store) -> None:
    """Assert that every referenced file exists with the recorded content."""
    with store.read() as session:
        assert session.execute(sa.text("PRAGMA integrity_check")).scalar() == "ok"
        assert session.execute(sa.text("PRAGMA foreign_key_check")).all() == []
        for sha256, extension in session.execute(sa.select(Sample.sha256, Sample.extension)):
            path = store.settings.images / sha256[:2] / f"{sha256}{extension}"
            assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        for path_, sha256 in session.execute(sa.select(Artifact.path, Artifact.sha256)):
            content = (store.settings.home / path_).read_bytes()
            assert hashlib.sha256(content).hexdigest() == sha256
        for dataset in session.scalars(sa.select(Dataset)):
            count = sa.select(sa.func.count()).where(Sample.dataset_id == dataset.id)
            assert session.scalar(count) == dataset.report["images"]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return new_studio(tmp_path_factory.mktemp("studio") / "home", count=12)


@pytest.fixture
def archive(studio: Store, tmp_path: Path) -> Path:
    write_backup(studio, tmp_path / "backup.tar")
    return tmp_path / "backup.tar"


def test_a_backup_can_be_checked_without_the_studio(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "by hand").mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path / "by hand"], check=True)
    command = ["sha256sum", "--check", "--quiet", "sha256sums.txt"]
    subprocess.run(command, cwd=tmp_path / "by hand", check=True)


def test_existing_files_are_not_overwritten(studio: Store, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="already exists"):
        write_backup(studio, archive)
    home = tmp_path / "used"
    home.mkdir()
    (home / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        restore(archive, home)
    assert [path.name for path in home.iterdir()] == ["notes.txt"]
    shutil.rmtree(home)
    (home / "lost+found").mkdir(parents=True)  # this folder of a volume is ignored
    restore(archive, home)
    check_whole(opened(home))


def test_a_damaged_backup_is_not_restored(archive: Path, tmp_path: Path) -> None:
    content = archive.read_bytes()
    home = tmp_path / "new"
    spoiled = [content[: len(content) * part // 7] for part in range(7)]
    for part in range(1, 24):  # damage to the padding between members is harmless
        at = len(content) * part // 24
        spoiled.append(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
    harmless = 0
    for broken in spoiled:
        archive.write_bytes(broken)
        try:
            restore(archive, home)
        except VecafError as error:
            assert "backup" in str(error)
            assert not home.exists()
        else:
            check_whole(opened(home))
            shutil.rmtree(home)
            harmless += 1
    assert harmless < len(spoiled) / 2


def repacked(archive: Path, change: Callable[[tarfile.TarInfo, bytes], None]) -> None:
    """Rewrite the archive; `change` modifies the header of each member."""
    with tarfile.open(archive) as old:
        members = [(one, old.extractfile(one).read()) for one in old]  # type: ignore[union-attr]
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as new:
        for one, content in members:
            change(one, content)
            new.addfile(one, io.BytesIO(content) if one.isreg() else None)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "images/../../evil", ".bashrc", "evil"])
def test_unsafe_names_are_refused(archive: Path, tmp_path: Path, name: str) -> None:
    def rename(member: tarfile.TarInfo, content: bytes) -> None:
        if member.name.startswith("images/"):
            member.name = name

    repacked(archive, rename)
    before = {path for path in tmp_path.rglob("*") if "evil" in path.name}
    with pytest.raises(VecafError, match="damaged"):
        restore(archive, tmp_path / "new")
    assert {path for path in tmp_path.rglob("*") if "evil" in path.name} == before
    assert not (tmp_path / "new").exists()


def test_links_are_refused(archive: Path, tmp_path: Path) -> None:
    def link(member: tarfile.TarInfo, content: bytes) -> None:
        if member.name.startswith("images/"):
            member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0

    repacked(archive, link)
    with pytest.raises(VecafError, match="not a regular file"):
        restore(archive, tmp_path / "new")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\3\4" + b"\0" * 600, b"\0" * 20480])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(InputError, match="is not a backup"):
        restore(tmp_path / "x.tar", tmp_path / "new")
    with pytest.raises(InputError, match="There is no file"):
        restore(tmp_path / "gone.tar", tmp_path / "new")


def test_restored_imports_without_an_upload_fail(studio: Store, tmp_path: Path) -> None:
    upload = str(studio.settings.uploads / "x.zip")
    with studio.write() as session:
        for number, source in enumerate((upload, "demo:color")):
            session.add(Import(owner_id=1, name=f"import {number}", source=source))
    write_backup(studio, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "new")
    with opened(tmp_path / "new").read() as session:
        first, second = session.scalars(sa.select(Import).order_by(Import.id))
    assert (first.state, first.error, second.state) == (FAILED, UPLOAD_LOST, QUEUED)


def test_missing_files_are_reported(studio: Store, tmp_path: Path) -> None:
    image = next(path for path in studio.settings.images.rglob("*.png"))
    away = image.rename(tmp_path / image.name)
    done = write_backup(studio, tmp_path / "b.tar")
    assert (done.missing, done.listed) == (1, (f"images/{image.parent.name}/{image.name}",))
    assert "1 referenced file is missing" in "\n".join(done.sentences())
    away.rename(image)


def test_a_backup_of_a_newer_version_is_refused(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vecaf.housekeeping.backup.known_schemas", lambda: {"0001"})
    with pytest.raises(VecafError, match="newer version"):
        restore(archive, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@only_postgresql
def test_with_postgresql_a_backup_contains_only_files(
    database: str, postgresql: Server, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    write_shapes(home / "drawn", 12)
    settings = Settings.from_environment({"VECAF_HOME": str(home), "DATABASE_URL": database})
    with closing(Store.open(settings)) as store:
        import_dataset(store, home / "drawn", "shapes")
        dump = tmp_path / "vecaf.dump"
        subprocess.run(["pg_dump", "--format=custom", f"--file={dump}", database], check=True)
        done = write_backup(store, tmp_path / "files.tar")
    assert (done.database, done.datasets, done.missing) == ("postgresql", 1, 0)
    assert "pg_dump --format=custom" in "\n".join(done.sentences())

    restored = restore(tmp_path / "files.tar", tmp_path / "new")
    assert restored["database"] == "postgresql"
    assert not list((tmp_path / "new").glob("*.db"))
    other = postgresql.new(empty=True)
    subprocess.run(["pg_restore", f"--dbname={other}", dump], check=True)
    elsewhere = {"VECAF_HOME": str(tmp_path / "new"), "DATABASE_URL": other}
    with closing(Store.open(Settings.from_environment(elsewhere))) as again:
        with again.read() as session:
            rows = session.execute(sa.select(Sample.sha256, Sample.extension)).all()
        assert len(rows) == 12
        for sha256, extension in rows:
            path = again.settings.images / sha256[:2] / f"{sha256}{extension}"
            assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def test_all_embeddings_are_included(tmp_path: Path) -> None:
    """No run references the embeddings of maps and commands."""
    with closing(opened(tmp_path / "home")) as store:
        kept = store.settings.embeddings / ("0" * 16) / "rows"
        kept.parent.mkdir(parents=True)
        kept.write_bytes(b"x")
        write_backup(store, tmp_path / "backup.tar", with_embeddings=True)
    restore(tmp_path / "backup.tar", tmp_path / "restored")
    assert (tmp_path / "restored" / kept.relative_to(tmp_path / "home")).read_bytes() == b"x"
