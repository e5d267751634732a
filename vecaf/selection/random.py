"""Uniform random selection: the baseline that every other strategy must beat."""

from __future__ import annotations

import numpy as np

from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Picks uniformly at random: the baseline to beat.",
    paper="",
)
def random(pool: Pool, budget: int, rng: np.random.Generator) -> Picks:
    """The first available positions: the canonical order is already a seeded random one."""
    return np.flatnonzero(pool.available())[:budget], {}
