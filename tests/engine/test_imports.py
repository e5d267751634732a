"""Imports through the queue: an upload becomes a dataset, or leaves no files."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.engine.harness import (
    WorkerProcess,
    import_row,
    wait_for,
    worker,
    write_images,
)
from vecaf.datasets import import_dataset, import_source
from vecaf.engine.queue import cancel_import, submit_import
from vecaf.errors import InputError, NotFoundError
from vecaf.settings import Settings
from vecaf.store import CANCELED, ENDED, FAILED, FINISHED, QUEUED, Dataset, Import, Sample, Store
from vecaf.store.imports import recent_imports
from vecaf.store.jobs import end_job


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip of 72 images in three classes."""
    folder = write_images(tmp_path_factory.mktemp("images") / "shapes")
    return Path(shutil.make_archive(str(folder), "zip", folder))


def stage(settings: Settings, archive: Path) -> Path:
    settings.uploads.mkdir(exist_ok=True)
    return Path(shutil.copy(archive, settings.uploads / "upload.zip"))


def wait_until_ended(store: Store, import_id: int, seconds: float = 40) -> str:
    wait_for(lambda: import_row(store, import_id).state in ENDED, seconds, "import not ended")
    return import_row(store, import_id).state


def what_is_left(settings: Settings) -> list[Path]:
    """Return the files in the folders that an import uses, except for the lock."""
    folders = (settings.uploads, settings.images, settings.thumbs)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if path.name != ".publishing"]


def test_an_upload_becomes_a_dataset(store: Store, archive: Path) -> None:
    upload = stage(store.settings, archive)
    import_id = submit_import(store, upload, "  shapes ", store.owner())
    with store.read() as session:
        assert [job.name for job in recent_imports(session, store.owner())] == ["shapes"]
    with worker(store.settings):
        assert wait_until_ended(store, import_id) == FINISHED
        uploads = store.settings.uploads
        wait_for(lambda: not any(uploads.iterdir()), 60, "the staged upload is still there")
    job = import_row(store, import_id)
    with store.read() as session:
        dataset = session.get_one(Dataset, job.dataset_id)
        count = sa.select(sa.func.count()).where(Sample.dataset_id == dataset.id)
        assert (dataset.name, session.scalar(count)) == ("shapes", 72)
        assert [job.id for job in recent_imports(session, store.owner())] == [import_id]


def test_a_file_that_is_not_an_archive_fails_with_a_message(store: Store) -> None:
    store.settings.uploads.mkdir()
    upload = store.settings.uploads / "upload.zip"
    upload.write_text("this is no zip")
    import_id = submit_import(store, upload, "words", store.owner())
    with worker(store.settings):
        assert wait_until_ended(store, import_id) == FAILED
        wait_for(lambda: not upload.exists(), 60, "the staged upload is still there")
    error = import_row(store, import_id).error
    assert error is not None
    assert "zip" in error.lower()
    assert "went wrong" not in error
    assert [path.name for path in what_is_left(store.settings)] == ["log.txt"]


def test_a_file_outside_the_uploads_folder_is_not_deleted(store: Store, archive: Path) -> None:
    import_id = submit_import(store, archive, "shapes", store.owner())
    with worker(store.settings):
        assert wait_until_ended(store, import_id) == FINISHED
    assert archive.exists()


def test_an_import_canceled_while_queued_leaves_no_files(store: Store, archive: Path) -> None:
    import_id = submit_import(store, stage(store.settings, archive), "shapes", store.owner())
    assert cancel_import(store, import_id, store.owner()) == CANCELED
    assert what_is_left(store.settings) == []
    submit_import(store, archive, "shapes", store.owner())  # the name is free again


@pytest.mark.soak
def test_an_import_canceled_while_running_leaves_no_files(store: Store, tmp_path: Path) -> None:
    big = write_images(tmp_path / "big", classes=1, each=1, size=160)
    upload = store.settings.uploads / "upload.zip"
    upload.parent.mkdir()
    picture = (big / "class0" / "0.png").read_bytes()
    with zipfile.ZipFile(upload, "w") as file:
        for index in range(4000):  # bytes after the image's end make each file different
            file.writestr(f"a/{index}.png", picture + str(index).encode())
    import_id = submit_import(store, upload, "big", store.owner())
    with worker(store.settings):
        wait_for(lambda: import_row(store, import_id).done > 0, 60, "the import did not start")
        cancel_import(store, import_id, store.owner())
        assert wait_until_ended(store, import_id, 60) == CANCELED
        wait_for(lambda: what_is_left(store.settings) == [], 60, "something is left")
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count(Dataset.id))) == 0


def test_a_killed_import_is_repeated(store: Store, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "shapes", each=100, size=64)
    import_id = submit_import(store, folder, "shapes", store.owner())
    process = WorkerProcess(store.settings)
    wait_for(lambda: import_row(store, import_id).attempt == 1, 60, "the import did not start")
    process.kill()
    process.close()
    with worker(store.settings):
        assert wait_until_ended(store, import_id) == FINISHED
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count(Sample.id))) == 300


def test_a_dataset_registered_by_a_killed_attempt_is_adopted(store: Store, archive: Path) -> None:
    """The attempt died between the dataset's commit and its own."""
    import_id = submit_import(store, archive, "shapes", store.owner())
    made = import_dataset(
        store, archive, "shapes", user_id=store.owner(), import_id=import_id
    ).dataset_id
    with worker(store.settings):
        assert wait_until_ended(store, import_id) == FINISHED
    assert import_row(store, import_id).dataset_id == made
    with store.read() as session:
        assert session.scalars(sa.select(Dataset.id)).all() == [made]


def test_the_name_of_a_queued_import_is_reserved(store: Store, archive: Path) -> None:
    """Both before the command line reads the images and while it does."""
    upload, read = stage(store.settings, archive), []

    def overtake(stage: str, done: int, total: int) -> None:
        if stage == "Saving":
            read.append(submit_import(store, upload, "shapes", store.owner()))

    for progress in (overtake, None):
        with pytest.raises(InputError, match="already being imported"):
            import_source(store, str(archive), "shapes", progress=progress)
    (import_id,) = read
    assert what_is_left(store.settings) == [upload]
    with worker(store.settings):
        assert wait_until_ended(store, import_id) == FINISHED


def test_a_dataset_of_the_same_name_is_not_mistaken_for_that_of_the_import(
    store: Store, archive: Path
) -> None:
    import_id = submit_import(store, archive, "shapes", store.owner())
    with store.write() as session:
        stranger = Dataset(owner_id=store.owner(), name="shapes", classes=[], content_hash="",
                           source="", report={})  # fmt: skip
        session.add(stranger)
    with worker(store.settings):
        assert wait_until_ended(store, import_id) == FAILED
    job = import_row(store, import_id)
    assert job.dataset_id is None
    assert job.error is not None and "already have a dataset called 'shapes'" in job.error


def test_a_name_can_be_used_once(store: Store, archive: Path) -> None:
    submit_import(store, archive, "shapes", store.owner())
    with pytest.raises(InputError, match="already being imported"):
        submit_import(store, archive, "shapes", store.owner())
    with pytest.raises(InputError, match="is not a valid dataset name"):
        submit_import(store, archive, "../shapes", store.owner())
    with pytest.raises(InputError, match="no file or folder"):
        submit_import(store, archive.with_name("nothing.zip"), "other", store.owner())


def test_a_stranger_cannot_cancel(store: Store, archive: Path) -> None:
    import_id = submit_import(store, archive, "shapes", store.owner())
    with pytest.raises(NotFoundError):
        cancel_import(store, import_id, store.owner() + 1)
    assert import_row(store, import_id).state == QUEUED


def test_a_committed_import_has_finished_even_if_its_process_dies(store: Store, rows: str) -> None:
    """Its process died, or it was canceled, right after the commit."""
    with store.write() as session:
        job = Import(owner_id=store.owner(), name="rows", source="x", state="running", dataset_id=1)
        session.add(job)
        session.flush()
        end_job(session, job, CANCELED)
        assert (job.state, job.error) == (FINISHED, None)


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_without_confirmation_keeps_its_files(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """The connection breaks, or Ctrl-C is pressed, during the commit."""
    store.owner()  # is made by the first who asks
    write = store.write

    @contextmanager
    def breaking(**options: bool) -> Iterator[Session]:
        with write(**options) as session:
            yield session
            if not committed:
                raise KeyboardInterrupt
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "write", breaking)
    with pytest.raises(KeyboardInterrupt):
        import_dataset(store, write_images(tmp_path / "shapes", classes=1, each=3), "shapes")
    with store.read() as session:
        rows = session.scalars(sa.select(Sample.sha256)).all()
    files = [path.stem for path in store.settings.images.rglob("*.png")]
    assert sorted(files) == sorted(rows) and len(rows) == (3 if committed else 0)
