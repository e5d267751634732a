"""Greedy k-center: select the row that is farthest from all selected rows."""

from __future__ import annotations

import numpy as np

from vecaf.selection.space import narrowed
from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Repeatedly selects the image farthest from all selected images (core-set).",
    paper="Sener & Savarese 2018, arXiv 1708.00489",
)
def kcenter(pool: Pool, budget: int, rng: np.random.Generator) -> StrategyResult:
    """Select by farthest-first traversal, which is within twice the optimal covering radius.

    It starts from the rows of earlier rounds, or from a random row. Score: `distance`, the distance
    to the nearest selected row at that time; 2, the largest distance on the sphere, for the first
    row.

    References
    ----------
    Sener & Savarese 2018, Active Learning for Convolutional Neural Networks: A Core-Set Approach,
    arXiv 1708.00489.
    """
    features = narrowed(pool.features)
    similarity = np.full(len(pool), -1.0, dtype=np.float32)
    for center in pool.earlier:
        np.maximum(similarity, features @ features[center], out=similarity)
    similarity[pool.earlier] = np.inf
    selected = np.empty(budget, dtype=np.int64)
    reached = np.empty(budget, dtype=np.float32)
    for rank in range(budget):
        center = int(similarity.argmin())
        selected[rank] = center
        reached[rank] = similarity[center]
        np.maximum(similarity, features @ features[center], out=similarity)
        similarity[center] = np.inf
    return StrategyResult(selected, {"distance": np.sqrt(np.maximum(0, 2 - 2 * reached))})
