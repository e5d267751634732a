"""Encoders on a Ray cluster fill the embedding cache."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.engine.ray_nodes import ray_nodes
from tests.engine.tiny_encoder import TinyEncoder
from vecaf.encoders.cache import KEYS
from vecaf.encoders.embed import count_missing, embed_images
from vecaf.engine.child import do_task
from vecaf.engine.cluster_embedding import embed_on_cluster
from vecaf.errors import CanceledError, UnavailableError, UnreadableImageError
from vecaf.settings import Settings
from vecaf.store import Dataset, Store, Task

ENCODER = TinyEncoder()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with ray_nodes(1, cpus=4) as found:
        yield found


def pictures(folder: Path, count: int) -> dict[str, Path]:
    """Write small JPEG files, and return their paths by SHA-256."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    found = {}
    for index in range(count):
        path = folder / f"{index}.jpg"
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((32, 32)).save(path)
        found[hashlib.sha256(path.read_bytes()).hexdigest()] = path
    return found


def home(folder: Path) -> Settings:
    return Settings.from_environment({"VECAF_HOME": str(folder), "VECAF_DEVICE": "cpu"})


def embed(images: dict[str, Path], settings: Settings, **changed: Any) -> int:
    given: dict[str, Any] = {"progress": lambda done, total: None, "should_stop": lambda: False}
    return embed_on_cluster(
        ENCODER, list(images), images.__getitem__, settings=settings, actors=2, **given | changed
    )


def stored(settings: Settings) -> Counter[bytes]:
    """Count how often each key is in the cache."""
    counts: Counter[bytes] = Counter()
    for path in settings.embeddings.glob(f"*/*{KEYS}"):
        counts.update(row.tobytes() for row in np.load(path))
    return counts


def test_features_equal_those_of_one_process_and_a_rerun_resumes(
    cluster: Any, tmp_path: Path
) -> None:
    images = pictures(tmp_path / "images", 60)
    settings, apart = home(tmp_path / "cluster"), home(tmp_path / "laptop")
    first = dict(list(images.items())[:20])
    embed_images(ENCODER, list(first), images.__getitem__, settings=settings)
    seen: list[tuple[int, int]] = []
    assert embed(images, settings, progress=lambda done, total: seen.append((done, total))) == 40
    assert seen[0] == (0, 40) and seen[-1] == (40, 40) and seen == sorted(seen)
    assert count_missing(ENCODER, list(images), settings) == 0
    assert set(stored(settings).values()) == {1}
    assert embed(images, settings) == 0
    shared, alone = (
        embed_images(ENCODER, list(images), images.__getitem__, settings=place)
        for place in (settings, apart)
    )
    np.testing.assert_allclose(shared, alone, atol=1e-5)


def test_an_unreadable_image_is_raised_here(cluster: Any, tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", 12)
    settings = home(tmp_path / "home")
    broken = list(images)[7]
    images[broken].write_bytes(b"no image")
    with pytest.raises(UnreadableImageError) as raised:
        embed(images, settings)
    assert raised.value.path == images[broken]


def test_a_canceled_embedding_ends_at_once(cluster: Any, tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", 12)
    with pytest.raises(CanceledError, match="stay in the cache"):
        embed(images, home(tmp_path / "home"), should_stop=lambda: True)


def test_a_queued_task_of_an_older_version_ends_with_an_explanation(
    store: Store, dataset_id: int
) -> None:
    with store.write() as session:
        owner = session.get_one(Dataset, dataset_id).owner_id
        task = Task(owner_id=owner, dataset_id=dataset_id, kind="embed_part", params={})
        session.add(task)
        session.flush()
        task_id = task.id
    with pytest.raises(UnavailableError, match="delete this task"):
        do_task(store, task_id, 1, lambda: False)
