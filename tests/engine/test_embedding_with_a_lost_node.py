"""A node of the cluster dies while it embeds: every image ends up in the cache once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.cluster_embedding_cases import ENCODER, home, pictures, stored
from tests.engine.ray_nodes import ray_nodes
from vecaf.engine.cluster_embedding import embed_on_cluster

IMAGES = 10_000


@pytest.mark.soak
def test_ten_thousand_images(tmp_path: Path) -> None:
    images, settings = pictures(tmp_path / "images", IMAGES), home(tmp_path / "home")
    with ray_nodes(3, cpus=2) as nodes:
        lost: list[Any] = []

        def kill_a_node(done: int, total: int) -> None:
            if not lost and done >= IMAGES // 4:
                lost.append(sorted(nodes.worker_nodes, key=str)[0])
                nodes.remove_node(lost[0], allow_graceful=False)

        computed = embed_on_cluster(
            ENCODER, list(images), images.__getitem__, settings=settings, actors=4,
            progress=kill_a_node, should_stop=lambda: False,
        )  # fmt: skip
    assert lost and computed == len(images)
    counts = stored(settings)
    assert set(counts) == set(map(bytes.fromhex, images)) and set(counts.values()) == {1}
