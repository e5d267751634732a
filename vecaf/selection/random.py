"""Uniform random selection: the baseline that every other strategy must beat."""

from __future__ import annotations

import numpy as np

from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Selects uniformly at random: the baseline for all other strategies.",
    paper="",
)
def random(pool: Pool, budget: int, rng: np.random.Generator) -> StrategyResult:
    """Select the first available positions: the canonical order is a seeded random order."""
    return StrategyResult(np.flatnonzero(pool.available())[:budget], {})
