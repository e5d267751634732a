"""Every kind of write on a real disk that is full.

Each test increases the free space page by page until the work succeeds. Before that, the work must
raise a clear error, keep the existing data, and leave no other files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from tests.datasets.conftest import stored_files
from tests.disks import PAGE, only, small_disk
from tests.finished import new_studio
from tests.shapes import write_shapes
from tests.training.dying import training, what_loads
from tests.waiting import result_of
from vecaf.datasets import import_dataset
from vecaf.datasets.exporting import export_dataset
from vecaf.encoders.cache import EmbeddingSet, digests_of
from vecaf.errors import UnavailableError
from vecaf.evaluation.predictions import Predictions, load_predictions, save_predictions
from vecaf.files import DISK_FULL
from vecaf.housekeeping.backup import restore, write_backup
from vecaf.settings import Settings
from vecaf.store import Dataset, Event, Run, Sample, Store
from vecaf.store.sqlite_copies import copy_database
from vecaf.tasks import TASKS, TaskContext
from vecaf.tasks.array_files import save_array
from vecaf.training.checkpoints import save_state

MEBIBYTES = 24


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with small_disk(tmp_path_factory.mktemp("small") / "disk", MEBIBYTES) as folder:
        yield folder


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home on another disk, to export and back up."""
    return new_studio(tmp_path_factory.mktemp("studio") / "home", count=30)


def walk(
    disk: Path, work: Callable[[], object], check_unchanged: Callable[[], object], step: int
) -> int:
    """Increase the free space by `step` bytes until `work` succeeds; return how often it failed."""
    for refused in range(1000):
        with only(refused * step, disk):
            try:
                work()
            except UnavailableError as error:
                assert str(error) == DISK_FULL
            else:
                return refused
        check_unchanged()
        assert not list(disk.rglob("*.tmp")), "a temporary file was left"
    raise AssertionError("it never succeeded")


@dataclass(frozen=True)
class Point:
    """A kind of file: `write(path, version)` writes it, and `read(path)` returns its version."""

    write: Callable[[Path, int], object]
    read: Callable[[Path], object]


def _embed(folder: Path, version: int) -> None:
    keys = digests_of([f"{version:02}{row:062}" for row in range(50)])
    EmbeddingSet(folder, 64).add(keys, np.full((50, 64), version, np.float32))


def _predicted(folder: Path, version: int) -> None:
    ids, logits = np.arange(500), np.full((500, 3), float(version), np.float32)
    save_predictions(folder, 1, Predictions.of(ids, logits, ids % 3))


def _predictions(folder: Path) -> object:
    found = load_predictions(folder, 1)
    return None if found is None else float(found.confidence[0])


POINTS = {
    "checkpoint": Point(lambda path, version: save_state(path, *training(version)), what_loads),
    "embeddings": Point(_embed, lambda folder: len(EmbeddingSet(folder, 64).index().keys)),
    "predictions": Point(_predicted, _predictions),
    "array of a map": Point(
        lambda path, version: save_array(path, np.full(5000, version)),
        lambda path: int(np.load(path)[0]),
    ),
}


@pytest.mark.parametrize("name", POINTS)
def test_the_old_file_stays_until_the_new_one_is_complete(disk: Path, name: str) -> None:
    point, path = POINTS[name], disk / name
    point.write(path, 1)
    before = point.read(path)

    def check_unchanged() -> None:
        assert point.read(path) == before

    step = 8 * PAGE if name == "checkpoint" else PAGE
    assert walk(disk, lambda: point.write(path, 2), check_unchanged, step) >= 2
    point.write(path, 2)
    assert name == "predictions" or point.read(path) != before


def test_a_thumbnail(disk: Path, studio: Store) -> None:
    from app.shell.decoder import Decoder
    from app.shell.media import _make_thumb

    settings = replace(studio.settings, home=disk / "media")
    sample: Any = SimpleNamespace(id=1, sha256="ab" * 32, extension=".png", width=300, height=300)
    source = settings.images / "ab" / f"{sample.sha256}.png"
    source.parent.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(source)
    asked: Any = SimpleNamespace(settings=settings, decoder=Decoder())
    thumbs: list[Path] = []

    def check_unchanged() -> None:
        assert not [path for path in settings.thumbs.rglob("*") if path.is_file()]

    assert (
        walk(
            disk,
            lambda: thumbs.append(result_of(_make_thumb(asked, 1, sample))),
            check_unchanged,
            PAGE,
        )
        >= 1
    )
    assert Image.open(thumbs[0]).size == (128, 128)


def test_an_image_to_predict(disk: Path, studio: Store) -> None:
    from app.shell.decoder import Decoder
    from app.shell.received import check_image, image_of

    settings = replace(studio.settings, home=disk / "asked")
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    asked: Any = SimpleNamespace(settings=settings, decoder=Decoder())

    async def receive() -> None:
        async with image_of(asked, content.getvalue()) as path:
            await check_image(asked, 1, path)

    def check_unchanged() -> None:
        assert not [path for path in settings.uploads.rglob("*") if path.is_file()]

    assert walk(disk, lambda: result_of(receive()), check_unchanged, PAGE) >= 1
    check_unchanged()


@pytest.mark.parametrize("name", ["export.zip", "export"])
def test_an_export(disk: Path, studio: Store, name: str) -> None:
    def check_unchanged() -> None:
        assert not (disk / name).exists()
        assert not list(disk.glob(f".{name}.*"))

    assert (
        walk(disk, lambda: export_dataset(studio, 1, 1, disk / name), check_unchanged, 4 * PAGE)
        >= 3
    )
    assert (disk / name).exists()


def test_a_backup_and_a_restored_home(disk: Path, studio: Store, tmp_path: Path) -> None:
    def no_backup() -> None:
        assert not [path for path in disk.iterdir() if "backup" in path.name or "db-" in path.name]

    assert walk(disk, lambda: write_backup(studio, disk / "backup.tar"), no_backup, 16 * PAGE) >= 3
    archive = (disk / "backup.tar").rename(disk / "saved.tar")

    def no_home() -> None:
        assert not (disk / "restored").exists()

    assert walk(disk, lambda: restore(archive, disk / "restored"), no_home, 16 * PAGE) >= 3
    with Store.open(Settings.from_environment({"VECAF_HOME": str(disk / "restored")})).read() as s:
        assert s.scalar(sa.select(sa.func.count(Sample.id))) == 30


@pytest.fixture
def small(disk: Path) -> Iterator[Store]:
    """A store whose home is on the small disk."""
    home = disk / f"home-{len(list(disk.iterdir()))}"
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(home)}))
    yield store
    store.close()


def test_an_import(disk: Path, small: Store, tmp_path: Path) -> None:
    write_shapes(tmp_path / "shapes", 30)

    def check_unchanged() -> None:
        assert stored_files(small) == []
        with small.read() as session:
            assert session.scalar(sa.select(sa.func.count(Dataset.id))) == 0

    work = lambda: import_dataset(small, tmp_path / "shapes", "shapes")  # noqa: E731
    assert walk(disk, work, check_unchanged, 8 * PAGE) >= 5
    with small.read() as session:
        assert session.scalar(sa.select(sa.func.count(Sample.id))) == 30


def test_the_database_keeps_commits_and_stays_readable(disk: Path, small: Store) -> None:
    import_dataset(small, _one_image(small.settings.home / "drawn"), "one")
    count = sa.select(sa.func.count(Event.id))

    def write() -> None:
        with small.write() as session:
            session.add_all(Event(run_id=1, message=os.urandom(2000).hex()) for _ in range(40))

    def check_unchanged() -> None:
        with only(0, disk), small.read() as session:
            assert session.scalar(count) == 0
            assert session.scalar(sa.text("PRAGMA quick_check")) == "ok"

    with small.write() as session:
        session.add(Run(owner_id=1, dataset_id=1, name="r", config={}, seed=0))
    assert walk(disk, write, check_unchanged, PAGE) >= 3
    with small.read() as session:
        assert session.scalar(count) == 40

    def no_copy() -> None:
        assert not (disk / "copy.db").exists()

    source = small.settings.home / "studio.db"
    assert walk(disk, lambda: copy_database(source, disk / "copy.db"), no_copy, 8 * PAGE) >= 3


@pytest.mark.soak
def test_a_map(disk: Path, small: Store) -> None:
    """Covers every file that the task writes, and embeddings. Finished files stay valid."""
    write_shapes(small.settings.home / "drawn", 12)
    dataset = import_dataset(small, small.settings.home / "drawn", "few").dataset_id
    folder = small.settings.home / "tasks" / "1"
    folder.mkdir(parents=True)

    def work() -> None:
        TASKS["map"](TaskContext(small, 1, dataset, folder, lambda *_: None, lambda: False))

    def check_unchanged() -> None:
        for path in folder.glob("*.npy"):
            assert len(np.load(path)) == 12

    assert walk(disk, work, check_unchanged, 6 * PAGE) >= 3
    assert (folder / "findings.json").exists()


def _one_image(folder: Path) -> Path:
    write_shapes(folder, 1)
    return folder
