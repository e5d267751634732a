"""Greedy k-center: select the row that is farthest from all selected rows."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.selection.sharded_rows import ShardedRows
from vecaf.selection.space import narrowed
from vecaf.selection.stored_rows import read_rows
from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool

_CANDIDATES = 4096  # rows that shards return at a time


@strategy(
    description="Repeatedly selects the image farthest from all selected images (core-set).",
    paper="Sener & Savarese 2018, arXiv 1708.00489",
    sharded=True,
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
    features = narrowed(pool.loaded)
    traversal = _over_shards if isinstance(features, ShardedRows) else _in_memory
    selected, reached = traversal(features, pool.earlier, budget)  # type: ignore[arg-type]
    return StrategyResult(selected, {"distance": np.sqrt(np.maximum(0, 2 - 2 * reached))})


def _in_memory(features: Floats, earlier: Ids, budget: int) -> tuple[Ids, Floats]:
    """Return the selected rows, and the similarity of each to the nearest row before it."""
    similarity = np.full(len(features), -1.0, dtype=np.float32)
    for center in earlier:
        np.maximum(similarity, features @ features[center], out=similarity)
    similarity[earlier] = np.inf
    selected = np.empty(budget, dtype=np.int64)
    reached = np.empty(budget, dtype=np.float32)
    for rank in range(budget):
        center = int(similarity.argmin())
        selected[rank] = center
        reached[rank] = similarity[center]
        np.maximum(similarity, features @ features[center], out=similarity)
        similarity[center] = np.inf
    return selected, reached


def _over_shards(features: ShardedRows, earlier: Ids, budget: int) -> tuple[Ids, Floats]:
    """Do the same with few passes over the shards.

    A pass returns the farthest rows as candidates. A new center never increases the distance of a
    row. As long as a candidate is farther away than the last one was at the pass, no other row can
    be farther, so the pass need not be repeated.
    """
    selected = np.empty(budget, dtype=np.int64)
    reached = np.empty(budget, dtype=np.float32)
    features.start_covering()
    new, rank = earlier, 0
    while rank < budget:
        near, where = features.farthest(read_rows(features, new), new, _CANDIDATES)
        limit = (near[-1], where[-1])
        order = np.argsort(where)  # of equal similarities, the first position counts
        near, where = near[order], where[order]
        rows = read_rows(features, where)
        first = rank
        while rank < budget:
            best = int(near.argmin())
            if rank > first and (near[best], where[best]) > limit:
                break
            selected[rank], reached[rank] = where[best], near[best]
            np.maximum(near, rows @ rows[best], out=near)
            near[best] = np.inf
            rank += 1
        new = selected[first:rank]
    return selected, reached
