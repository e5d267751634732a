"""A selection from a large pool uses shards, and their number changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.runs.test_label_leaks import made_up
from vecaf.config import RunConfig
from vecaf.runs import plan as plans
from vecaf.runs.plan import RunPlan
from vecaf.runs.recording import RoundSelection
from vecaf.selection import LocalSharding
from vecaf.selection.sharded_rows import Sharding
from vecaf.training.learner import ModelOutputs


def test_the_plan_of_a_large_pool_selects_from_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, features = made_up()
    plan = RunPlan.of(RunConfig(strategy="kmeans", budget="9"), samples)
    outputs = ModelOutputs(features[plan.pool], None)
    used: list[int] = []

    def select(count: int) -> RoundSelection:
        def sharding(*arguments: object) -> object:
            used.append(count)
            return LocalSharding(count, block=16)(*arguments)  # type: ignore[arg-type]

        stored: Sharding = sharding  # type: ignore[assignment]
        one = replace(plan, sharding=stored)
        return one.select(outputs, outputs.features, np.empty(0, np.int64), 1)

    select(1)
    assert not used
    monkeypatch.setattr(plans, "SHARDED_ROWS", len(plan.pool))
    laptop, cluster = select(1), select(3)
    assert used == [1, 3]
    np.testing.assert_array_equal(laptop.sample_ids, cluster.sample_ids)
    for name, scores in laptop.scores.items():
        np.testing.assert_array_equal(scores, cluster.scores[name])
