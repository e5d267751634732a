"""A cluster selects what a laptop selects, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecaf
from tests.engine.ray_nodes import ray_nodes
from tests.runs.test_label_leaks import made_up
from vecaf.config import RunConfig
from vecaf.engine import run_program as programs
from vecaf.engine.attempt import LostProcessError
from vecaf.engine.shard_actors import ActorShards, ClusterSharding, RaySharding
from vecaf.runs import plan as plans
from vecaf.runs.plan import RunPlan
from vecaf.selection import STRATEGIES, LocalSharding
from vecaf.selection.sharded_rows import Sharding
from vecaf.store import Store
from vecaf.training.learner import ModelOutputs
from vecaf.training.ranks import ALONE

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
            self.close = self.shards.close
            self.shards.close = lambda: None
        return self.shards


@pytest.mark.soak  # the plan of a run, below, compares them once
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
    reused.close()


def test_a_lost_shard_is_reported(cluster: Any) -> None:
    import ray

    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float16)
    shards = RaySharding(2)(rows, np.arange(50))
    ray.kill(shards._actors[1])
    with pytest.raises(LostProcessError, match="Select again"):
        shards.call("start_covering")
    shards.close()


def test_the_plan_of_a_run_selects_the_same_images_with_actors(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "SHARDED_ROWS", 100)
    samples, features = made_up()
    created: list[Any] = []

    def on_cluster(rows: Any, order: Any) -> Any:
        created.append(ClusterSharding(rows_per_actor=60, block=16)(rows, order))
        return created[-1]

    def select(sharding: Sharding) -> Any:
        plan = RunPlan.of(RunConfig(strategy="kmeans", budget="9"), samples, sharding)
        outputs = ModelOutputs(features[plan.pool], None)
        return plan.select(outputs, outputs.features, np.empty(0, np.int64), 1)

    laptop, shared = select(LocalSharding(1, block=16)), select(on_cluster)
    assert isinstance(created[0], ActorShards) and created[0].layout.count == 2
    np.testing.assert_array_equal(shared.sample_ids, laptop.sample_ids)
    for score, values in laptop.scores.items():
        np.testing.assert_array_equal(shared.scores[score], values)


def test_without_room_for_two_actors_the_shard_is_in_this_process(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float16)
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 1.0})
    assert not isinstance(ClusterSharding(rows_per_actor=10)(rows, np.arange(50)), ActorShards)
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 9.0})  # taken meanwhile
    monkeypatch.setattr("vecaf.engine.shard_actors.START_SECONDS", 3.0)
    assert not isinstance(ClusterSharding(rows_per_actor=10)(rows, np.arange(50)), ActorShards)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_the_engine_decides_where_a_run_stores_features(
    store: Store, run_id: int, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(programs, "run_rounds", lambda *arguments: given.extend(arguments))
    run_program = programs.run_program
    run_program(ALONE, Store(replace(store.settings, engine=engine)), run_id, 0, lambda: False)
    assert (ClusterSharding() if engine == "ray" else LocalSharding()) in given
