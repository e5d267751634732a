"""Greedy k-center: always pick the row that is farthest from everything picked so far."""

from __future__ import annotations

import numpy as np

from vecaf.selection.space import narrowed
from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Picks the image farthest from all picked ones, again and again (core-set).",
    paper="Sener & Savarese 2018, arXiv 1708.00489",
)
def kcenter(pool: Pool, budget: int, rng: np.random.Generator) -> Picks:
    """Greedy k-center (farthest-first traversal), within twice the best covering radius.

    It starts from the rows chosen earlier, or from a random row where there are none. The score
    `distance` is the chord length to the nearest picked row at the time of the pick (2 for the
    first pick, the largest distance on the sphere). Cost: one pass over the rows a pick.
    """
    features = narrowed(pool.features)
    similarity = np.full(len(pool), -1.0, dtype=np.float32)
    for centre in pool.chosen:
        np.maximum(similarity, features @ features[centre], out=similarity)
    similarity[pool.chosen] = np.inf
    picked = np.empty(budget, dtype=np.int64)
    reached = np.empty(budget, dtype=np.float32)
    for rank in range(budget):
        centre = int(similarity.argmin())
        picked[rank] = centre
        reached[rank] = similarity[centre]
        np.maximum(similarity, features @ features[centre], out=similarity)
        similarity[centre] = np.inf
    return picked, {"distance": np.sqrt(np.maximum(0, 2 - 2 * reached))}
