"""A studio on a temporary home with two datasets: one of the local owner, one of another user."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.server import build
from app.shell.studio import Studio
from tests.homes import new_home
from vecaf.datasets import import_dataset
from vecaf.settings import Limits, Settings
from vecaf.store import Store, User

BASE = "http://127.0.0.1:7860"
LIMIT = 100_000


def picture(color: tuple[int, int, int], side: int = 32) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), color).save(buffer, "PNG")
    return buffer.getvalue()


def archive(path: Path, shift: int = 0) -> Path:
    """Make a ZIP of two classes with six images each. One image is larger than a thumbnail."""
    with zipfile.ZipFile(path, "w") as out:
        for name, red in (("cat", 200), ("dog", 40)):
            for i in range(6):
                side = 300 if i == 0 else 32
                out.writestr(f"{name}/{i}.png", picture((red, 20 * i, shift), side))
    return path


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = new_home(tmp_path_factory.mktemp("home"))
    settings = Settings(
        home=home,
        database_url=f"sqlite:///{home / 'studio.db'}",
        limits=Limits(max_archive_bytes=LIMIT),
    )
    store = Store.open(settings)
    import_dataset(store, archive(home / "own.zip"), "pets", user_id=store.owner())
    with store.write() as session:
        stranger = User(name="stranger")
        session.add(stranger)
        session.flush()
        stranger_id = stranger.id
    import_dataset(store, archive(home / "other.zip", shift=99), "secret", user_id=stranger_id)
    yield Studio(settings, store)
    store.close()


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[TestClient]:
    with TestClient(build(studio), base_url=BASE) as client:
        yield client
