"""Spherical k-means: the pick is the row nearest to each cluster's centre."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.activeft import by_coverage
from vecaf.selection.assignment import nearest, weighted_sums
from vecaf.selection.space import narrowed
from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool

_SEEDING_COST = 1e11  # multiplications that k-means++ may spend: a few seconds on two cores


@strategy(
    description="Clusters the images and picks the most central one of each cluster.",
    paper="Arthur & Vassilvitskii 2007, k-means++; Dhillon & Modha 2001, spherical k-means",
)
def kmeans(pool: Pool, budget: int, rng: np.random.Generator, *, iterations: int = 20) -> Picks:
    """k-means++ then Lloyd's iterations on the sphere; every centre takes its nearest free row.

    iterations  Lloyd steps at most; it stops where no row changes its cluster

    Rows chosen earlier are centres that stay where they are and absorb the rows around them, so
    the `budget` new clusters form where nothing has been picked yet.
    """
    if not isinstance(iterations, int | np.integer) or iterations < 0:
        raise InputError(f"iterations is {iterations!r}; use a whole number, 0 or more.")
    rows = narrowed(pool.features)
    start = seed_centres(rows, pool, budget, rng)
    centres = lloyd(rows, start, rows[pool.chosen], iterations)
    return by_coverage(rows, pool, centres)


def seed_centres(features: Floats, pool: Pool, k: int, rng: np.random.Generator) -> Floats:
    """k of `features` (the pool's rows, in any space) by greedy k-means++, float32 (k, d).

    Each step draws 2 + ln k rows by their squared distance to the nearest one so far and keeps the
    one that lowers the sum of those distances most: a single draw often misses a cluster. They
    come from the first rows of the pool's (random) order, as many as the cost allows; where that
    is under 4 rows a centre, plain random rows do.
    """
    free = np.flatnonzero(pool.available())
    trials = 2 + int(np.log(k))
    size = int(_SEEDING_COST / (k * trials * features.shape[1]))
    if k >= len(free) or size < 4 * k:
        return features[free[:k]]
    rows = features[free[:size]]
    distance = np.full(len(rows), 2.0, dtype=np.float32)  # 1 − cosine: half the squared chord
    for centre in features[pool.chosen]:
        np.minimum(distance, 1 - rows @ centre, out=distance)
    picked = np.empty(k, dtype=np.int64)
    for index in range(k):
        mass = np.cumsum(np.maximum(distance, 0), dtype=np.float64)
        if mass[-1] <= 0:  # fewer distinct rows than centres: repeat what there is
            picked[index:] = np.arange(k - index)
            break
        drawn = np.searchsorted(mass, rng.random(trials) * mass[-1], side="right")
        drawn = np.minimum(drawn, len(rows) - 1)
        distances = np.minimum(distance, 1 - rows[drawn] @ rows.T)
        best = int(np.maximum(distances, 0).sum(axis=1).argmin())
        picked[index], distance = drawn[best], distances[best]
        distance[drawn[best]] = 0
    return rows[picked]


def lloyd(
    features: Floats,
    centres: Floats,
    fixed: Floats,
    iterations: int,
    weights: Floats | None = None,
) -> Floats:
    """Lloyd's iterations with cosine similarity; rows nearer to `fixed` (c, d) move nothing.

    weights (n,) count each row in its centre's mean; None counts all alike.

    An empty cluster restarts at the row that is covered worst. Returns unit centres (k, d).
    """
    k = len(centres)
    centres = centres.copy()
    mass_of = np.ones(len(features), dtype=np.float32) if weights is None else weights
    before: Ids | None = None
    for _ in range(iterations):
        similarity, winner = nearest(features, np.concatenate((centres, fixed)))
        if before is not None and np.array_equal(before, winner):
            break
        before = winner
        sums, mass = weighted_sums(features, winner, mass_of, k + len(fixed))
        means, filled = sums[:k], mass[:k] > 0
        length = np.linalg.norm(means, axis=1, keepdims=True)
        moved = filled & (length[:, 0] > 1e-12)
        centres[moved] = means[moved] / length[moved]
        empty = np.flatnonzero(~filled)
        if len(empty):
            worst = np.argpartition(similarity, len(empty) - 1)[: len(empty)]
            centres[empty] = features[worst]
    return centres
