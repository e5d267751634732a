"""A cluster selects what a laptop selects, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecaf
from tests.engine.ray_nodes import ray_nodes
from vecaf.engine.shard_actors import RaySharding
from vecaf.errors import UnavailableError
from vecaf.selection import STRATEGIES, LocalSharding

OPTIONS: dict[str, dict[str, Any]] = {
    "activeft": {"steps": 10, "batch_rows": 300},
    "vecaf": {"steps": 4, "dimensions": 8, "restarts": 1},
    "kmeans": {"iterations": 4},
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with ray_nodes(1, cpus=4) as found:
        yield found


class Reused:
    """Creates actors once, because all selections here use the same rows."""

    def __init__(self, sharding: RaySharding) -> None:
        self.sharding = sharding
        self.shards: Any = None

    def __call__(self, rows: Any, order: Any) -> Any:
        if self.shards is None:
            self.shards = self.sharding(rows, order)
            self.shards.close = lambda: None
        return self.shards


def test_laptop_and_cluster_select_the_same_rows(cluster: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(8, 16))[rng.integers(8, size=1500)] + rng.normal(size=(1500, 16))
    np.save(tmp_path / "rows.npy", rows.astype(np.float16))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    reused = Reused(RaySharding(3, block=100))
    for name in (name for name in sorted(STRATEGIES) if STRATEGIES[name].info.sharded):
        laptop, cluster_selection = (
            vecaf.select(
                mapped, 30, name, selected=[1, 2], sharding=sharding, **OPTIONS.get(name, {})
            )
            for sharding in (LocalSharding(1, block=100), reused)
        )
        np.testing.assert_array_equal(cluster_selection.ids, laptop.ids)
        for score, values in laptop.scores.items():
            np.testing.assert_array_equal(cluster_selection.scores[score], values)


def test_a_lost_shard_is_reported(cluster: Any) -> None:
    import ray

    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float16)
    shards = RaySharding(2)(rows, np.arange(50))
    ray.kill(shards._actors[1])
    with pytest.raises(UnavailableError, match="Start the job again"):
        shards.call("start_covering")
    shards.close()
