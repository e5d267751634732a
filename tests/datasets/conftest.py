from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from vecaf.datasets.pool import image_path
from vecaf.settings import Settings
from vecaf.store import Dataset, Sample, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(Settings.from_environment({"VECAF_HOME": str(tmp_path / "home")}))


def samples(store: Store, name: str) -> list[Sample]:
    """Return a dataset's samples in id order, after checking every stored file's hash."""
    with store.read() as session:
        dataset = session.scalars(sa.select(Dataset).where(Dataset.name == name)).one()
        query = sa.select(Sample).where(Sample.dataset_id == dataset.id).order_by(Sample.id)
        found = list(session.scalars(query))
    for one in found:
        content = image_path(store.settings.images, one.sha256, one.extension).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one.sha256
    return found


def stored_files(store: Store) -> list[str]:
    """Return all files of images and thumbnails, also hidden ones, except the publish lock."""
    home = store.settings.home
    files = [path for part in ("images", "thumbs", "uploads") for path in home.glob(f"{part}/**/*")]
    return [str(path) for path in files if path.is_file() and path.name != ".publishing"] + [
        str(path) for path in files if path.name.startswith(".staging")
    ]


@pytest.fixture
def nothing_imported(store: Store) -> Callable[[], None]:
    """A function that asserts that a failed import left no row and no file."""

    def check() -> None:
        assert stored_files(store) == []
        with store.read() as session:
            for table in (Dataset, Sample):
                assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0

    return check
