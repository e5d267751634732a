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
    """A dataset's samples by id, after checking every stored file against its hash."""
    with store.read() as session:
        dataset = session.scalars(sa.select(Dataset).where(Dataset.name == name)).one()
        query = sa.select(Sample).where(Sample.dataset_id == dataset.id).order_by(Sample.id)
        found = list(session.scalars(query))
    for one in found:
        content = image_path(store.settings.images, one.sha256, one.extension).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one.sha256
    return found


def leftovers(store: Store) -> list[str]:
    """Files of images and thumbnails, visible or hidden, but the lock of publishers."""
    home = store.settings.home
    files = [path for part in ("images", "thumbs", "uploads") for path in home.glob(f"{part}/**/*")]
    return [str(path) for path in files if path.is_file() and path.name != ".publishing"] + [
        str(path) for path in files if path.name.startswith(".staging")
    ]


@pytest.fixture
def untouched(store: Store) -> Callable[[], None]:
    """Asserts that a failed import left no row and no file."""

    def check() -> None:
        assert leftovers(store) == []
        with store.read() as session:
            for table in (Dataset, Sample):
                assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0

    return check
