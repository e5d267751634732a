"""doctor finds and repairs mismatches of files and rows; gc removes what is no longer needed."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from tests.finished import NAME, new_studio
from vecaf.datasets import import_dataset
from vecaf.datasets.deletion import delete_dataset
from vecaf.datasets.staging import Staging
from vecaf.encoders.cache import EmbeddingSet, digests_of, gather
from vecaf.errors import UnavailableError, VecafError
from vecaf.housekeeping import garbage
from vecaf.housekeeping.garbage import by_kind, find_garbage, remove_garbage
from vecaf.housekeeping.orphaned_files import (
    DAY,
    HOUR,
    OrphanedFile,
    find_orphaned_files,
    move_to_trash,
)
from vecaf.housekeeping.repair import check_files, repair
from vecaf.housekeeping.trash import FOLDER, Trash
from vecaf.store import (
    FAILED,
    FINISHED,
    Artifact,
    Dataset,
    Event,
    Import,
    Round,
    Run,
    Sample,
    Store,
    Subset,
    Task,
)  # fmt: skip
from vecaf.store.deletion_lock import block_deletion
from vecaf.store.models import now

GOOD = "all referenced files exist, and there are no unreferenced files"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A dataset of 12 shapes with the files of a finished run and a finished map."""
    store = new_studio(tmp_path / "home", count=12)
    settings = store.settings
    with store.write() as session:
        more = {"owner_id": 1, "dataset_id": 1, "state": FINISHED, "finished_at": now()}
        run = Run(name="run", config={}, seed=0, **more)
        task = Task(kind="map", params={}, result={"ready": ["pca.npy"]}, **more)
        session.add_all([run, task])
        session.flush()
        for number in (1, 2):
            session.add(Round(run_id=run.id, number=number, labeled=1, batches=1, confusion={},
                              seconds=1.0, val_accuracy=None, test_accuracy=None))  # fmt: skip
        write(settings.runs / "1" / "model" / "model.safetensors", b"weights")
        session.add(Artifact(run_id=1, kind="model", path="runs/1/model/model.safetensors",
                             sha256=hashlib.sha256(b"weights").hexdigest(), bytes=7))  # fmt: skip
    for name in ("model/config.json", "model/labels.json", "round-1/head.safetensors",
                 "round-2/head.safetensors", "predictions-1.npz", "log.txt"):  # fmt: skip
        write(settings.runs / "1" / name, b"x" * 100)
    write(settings.tasks / "1" / "pca.npy", b"x")
    yield store
    store.close()


def trash_of(store: Store) -> Trash:
    return Trash(store.settings.home)


def write(path: Path, content: bytes, age: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return aged(path, age)


def aged(path: Path, age: float) -> Path:
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


def everything(store: Store) -> set[str]:
    home = store.settings.home
    passing = (".publishing", ".block_deletion", "studio.db-wal", "studio.db-shm")
    return {
        path.relative_to(home).as_posix()
        for path in home.rglob("*")
        if path.is_file() and path.name not in passing and home / FOLDER not in path.parents
    }


def test_a_consistent_home_is_unchanged(store: Store) -> None:
    before = everything(store)
    assert check_files(store) == GOOD
    assert repair(store) == []
    assert everything(store) == before


def orphans(store: Store) -> dict[str, Path]:
    """Create an orphaned file of every kind, old enough to be found."""
    settings, key = store.settings, "ab" * 32
    found = {
        "image": write(settings.images / "ab" / f"{key}.png", b"x" * 10, 2 * HOUR),
        "thumbnail": write(settings.thumbs / "ab" / f"{key}.jpg", b"x", 2 * HOUR),
        "upload": write(settings.uploads / f"{'0' * 32}.zip", b"x", 2 * DAY),
        "part": write(settings.uploads / f"{'1' * 32}.part", b"x", 2 * DAY),
        "half": write(settings.runs / "1" / ".model.abc.tmp", b"x", 2 * DAY),
        "shard": write(settings.embeddings / "e" / "0-1.npy", b"x", 2 * DAY),
        "staged": write(settings.images / ".staging-x" / "images" / "y.png", b"x"),
        "run": write(settings.runs / "99" / "log.txt", b"x"),
        "task": write(settings.tasks / "99" / "pca.npy", b"x"),
        "export": write(settings.runs / "1" / "export" / ".building-z" / "a", b"x"),
    }
    (settings.images / ".staging-x" / "lock").touch()
    aged(settings.images / ".staging-x", 2 * DAY)
    for path, age in ((settings.runs / "99", 2 * HOUR), (settings.tasks / "99", 2 * HOUR),
                      (settings.runs / "1" / "export" / ".building-z", 2 * DAY)):  # fmt: skip
        aged(path, age)
    return found


def test_unreferenced_files_are_moved_to_the_trash(store: Store) -> None:
    before = everything(store)
    made = orphans(store)
    with pytest.raises(VecafError, match=r"10 unreferenced files.*--repair"):
        check_files(store)
    done = repair(store)
    assert len(done) == len(made) + 1  # the last line names the trash
    assert all(line.startswith("Moved ") for line in done[:-1])
    assert not any(path.exists() for path in made.values())
    assert everything(store) == before
    assert check_files(store) == GOOD


def test_new_or_needed_files_are_not_orphaned(store: Store) -> None:
    made = orphans(store)
    for path in made.values():
        aged(path, 0)
    for name in ("runs/99", "tasks/99", "runs/1/export/.building-z"):
        aged(store.settings.home / name, 0)
    with store.write() as session:
        upload = aged(made["upload"], 9 * DAY)
        session.add(Import(owner_id=1, name="new", source=str(upload)))
        session.add(Import(owner_id=1, name="failed", source="x", state=FAILED))
    write(store.settings.uploads / "import-2" / "log.txt", b"why")
    aged(store.settings.uploads / "import-2", 5 * DAY)
    # Only the staging folder of a killed import is orphaned at any age.
    assert [one.path for one in find_orphaned_files(store)] == [
        store.settings.images / ".staging-x"
    ]
    aged(store.settings.uploads / "import-2", 40 * DAY)
    assert store.settings.uploads / "import-2" in [one.path for one in find_orphaned_files(store)]


def test_files_of_a_running_import_are_not_orphaned(store: Store) -> None:
    with Staging(store.settings) as staging:
        staging.write("ab" * 32, ".png", b"x", None)
        folder = next(store.settings.images.glob(".staging-*"))
        aged(folder, 9 * DAY)
        assert find_orphaned_files(store, 0) == []
        assert (
            move_to_trash(store, [OrphanedFile("half-written file", folder, 1)], trash_of(store))
            == []
        )
        assert list(folder.rglob("*.png"))


def test_an_image_that_is_now_in_use_is_kept(store: Store, tmp_path: Path) -> None:
    delete_dataset(store, 1, 1)
    import_dataset(store, store.settings.home / "drawn", "again")
    with store.read() as session:
        sha256 = session.scalars(sa.select(Sample.sha256)).first()
    assert sha256 is not None
    path = store.settings.images / sha256[:2] / f"{sha256}.png"
    with store.write() as session:  # as before the rows are committed
        session.execute(sa.update(Sample).where(Sample.sha256 == sha256).values(sha256="0" * 64))
    found = [one for one in find_orphaned_files(store, -1) if one.path == path]
    assert found
    with store.write() as session:
        session.execute(sa.update(Sample).where(Sample.sha256 == "0" * 64).values(sha256=sha256))
    assert move_to_trash(store, found, trash_of(store)) == []
    assert path.exists()


def test_rows_without_files_are_reported_and_kept(store: Store, tmp_path: Path) -> None:
    with store.read() as session:
        rows = session.execute(sa.select(Sample.file_name, Sample.sha256).limit(2)).all()
    for row in rows:
        (store.settings.images / row.sha256[:2] / f"{row.sha256}.png").unlink()
    write(store.settings.runs / "1" / "model" / "model.safetensors", b"other bytes")
    shutil.rmtree(store.settings.tasks / "1")
    with pytest.raises(VecafError, match=f"2 images of '{NAME}'") as complaint:
        check_files(store)
    assert rows[0].file_name in str(complaint.value)
    assert len(repair(store)) == 3
    assert repair(store) == []  # reported once
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count(Sample.id))) == 12
        (warning,) = [text for text in session.get_one(Dataset, 1).report["warnings"]
                      if text.startswith("Files are missing")]  # fmt: skip
        event = session.scalars(sa.select(Event).where(Event.level == "error")).one()
        task = session.get_one(Task, 1)
    assert rows[1].file_name in warning
    assert "has changed since the run wrote it" in event.message
    assert (task.state, "pca.npy" in str(task.error)) == (FAILED, True)

    import_dataset(store, store.settings.home / "drawn", "again")  # restores the files
    assert any("no file is missing" in text for text in repair(store))
    with store.read() as session:
        report = session.get_one(Dataset, 1).report
    assert not any(text.startswith("Files are missing") for text in report["warnings"])


def test_only_embeddings_of_unused_images_are_removed(store: Store) -> None:
    with store.read() as session:
        used = list(session.scalars(sa.select(Sample.sha256).order_by(Sample.id)))
    gone = [f"{index:064x}" for index in range(8)]
    rows = np.arange(20 * 4, dtype=np.float32).reshape(20, 4)
    images = EmbeddingSet(store.settings.embeddings / "images", 4)
    images.describe({"preprocessing": {}, "feature_dim": 4})
    images.add(digests_of(used + gone), rows)
    images.add(digests_of(gone), rows[12:])
    texts = EmbeddingSet(store.settings.embeddings / "texts", 4)
    texts.describe({"text_tower": "x", "dimension": 4})
    texts.add(digests_of(gone), rows[12:])

    assert not [
        one for one in find_garbage(store) if one.kind == garbage.UNUSED
    ]  # they are too new
    found = [one for one in find_garbage(store, grace=-1) if one.kind == garbage.UNUSED]
    assert len(found) == 2
    with block_deletion(store.settings), pytest.raises(UnavailableError, match="backup"):
        remove_garbage(store, found)
    assert len(images.index().keys) == 20
    remove_garbage(store, found)
    assert np.array_equal(gather(images.index(), digests_of(used)), rows[:12])
    assert len(images.index().keys) == 12
    assert len(texts.index().keys) == 8
    assert not [one for one in find_garbage(store, grace=-1) if one.kind == garbage.UNUSED]


def test_a_dry_run_only_lists_what_gc_removes(store: Store) -> None:
    made = orphans(store)
    ended = now() - timedelta(days=40)
    with store.write() as session:
        old = {"owner_id": 1, "dataset_id": 1, "kind": "map", "state": FINISHED, "params": {}}
        session.add_all([Task(id=2, finished_at=ended, **old), Task(id=3, finished_at=ended, **old),
                         Task(id=4, finished_at=now(), **old)])  # fmt: skip
        session.add(Subset(owner_id=1, dataset_id=1, name="s", kind="selection", facts={"task": 3}))
    for number in (2, 3, 4):
        write(store.settings.tasks / str(number) / "pca.npy", b"x" * 50)
    before = everything(store)
    found = find_garbage(store)
    assert everything(store) == before
    sums = {row["kind"]: (row["count"], row["bytes"]) for row in by_kind(found)}
    assert sums[garbage.EARLIER] == (1, 100)  # of round 1; round 2 is the last one
    assert sums[garbage.OLD_TASK] == (1, 50)  # task 2; a selection came from 3, and 4 is new
    remove_garbage(store, found)
    gone = before - everything(store)
    assert {"runs/1/round-1/head.safetensors", "tasks/2/pca.npy"} < gone
    assert not any(path.exists() for path in made.values())
    assert len(gone) == 2 + len(made) + 1  # + 1: the lock of the staging folder
    with store.read() as session:
        assert list(session.scalars(sa.select(Task.id).order_by(Task.id))) == [1, 3, 4]
