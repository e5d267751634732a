"""Spherical k-means: the row nearest to the center of each cluster."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.activeft import by_coverage
from vecaf.selection.assignment import cluster
from vecaf.selection.sharded_rows import ShardedRows
from vecaf.selection.space import narrowed
from vecaf.selection.stored_rows import LoadedRows, read_rows
from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool

_SEEDING_COST = 1e11  # multiplications of k-means++: a few seconds on two cores
_GATHERED = 2**18  # candidates read from shards: 400 MB at d = 384


@strategy(
    description="Clusters the images and selects the most central image of each cluster.",
    paper="Arthur & Vassilvitskii 2007, k-means++; Dhillon & Modha 2001, spherical k-means",
    sharded=True,
)
def kmeans(
    pool: Pool, budget: int, rng: np.random.Generator, *, iterations: int = 20
) -> StrategyResult:
    """Select the unselected row nearest to the center of each k-means cluster.

    Rows of earlier rounds are fixed centers that attract the rows around them, so the `budget` new
    clusters form in other regions. Scores as in `by_coverage`.

    Parameters
    ----------
    pool, budget, rng
        As for every strategy.
    iterations
        Largest number of Lloyd iterations; it stops earlier if no row changes its cluster.

    References
    ----------
    Arthur & Vassilvitskii 2007, k-means++; Dhillon & Modha 2001, Concept decompositions.
    """
    if not isinstance(iterations, int | np.integer) or iterations < 0:
        raise InputError(f"iterations is {iterations!r}. Use a whole number, 0 or more.")
    rows = narrowed(pool.loaded)
    start = seed_centers(rows, pool, budget, rng)
    centers = lloyd(rows, start, read_rows(rows, pool.earlier), iterations)
    return by_coverage(rows, pool, centers)


def seed_centers(features: LoadedRows, pool: Pool, k: int, rng: np.random.Generator) -> Floats:
    """Choose initial centers by greedy k-means++.

    Each step draws 2 + ln k rows by their squared distance to the nearest center and keeps the one
    that reduces the sum of these distances most: a single draw often misses a cluster. Candidates
    are the first rows of the pool's random order, as many as the cost limit allows. With fewer than
    4 candidates per center, random rows are used.

    Parameters
    ----------
    features
        The pool's rows in any space, shape (n, d). From shards, at most 262,144 rows are read.
    pool
        The pool.
    k
        Number of centers.
    rng
        Source of randomness.

    Returns
    -------
    float32 array of shape (k, d)
    """
    free = np.flatnonzero(pool.available())
    trials = 2 + int(np.log(k))
    size = int(_SEEDING_COST / (k * trials * features.shape[1]))
    if isinstance(features, ShardedRows):
        size = min(size, _GATHERED)
    if k >= len(free) or size < 4 * k:
        return read_rows(features, free[:k])
    rows = read_rows(features, free[:size])
    distance = np.full(len(rows), 2.0, dtype=np.float32)  # 1 − cosine: half the squared chord
    for center in read_rows(features, pool.earlier):
        np.minimum(distance, 1 - rows @ center, out=distance)
    selected = np.empty(k, dtype=np.int64)
    for index in range(k):
        mass = np.cumsum(np.maximum(distance, 0), dtype=np.float64)
        if mass[-1] <= 0:  # fewer distinct rows than centers: repeat rows
            selected[index:] = np.arange(k - index)
            break
        drawn = np.searchsorted(mass, rng.random(trials) * mass[-1], side="right")
        drawn = np.minimum(drawn, len(rows) - 1)
        distances = np.minimum(distance, 1 - rows[drawn] @ rows.T)
        best = int(np.maximum(distances, 0).sum(axis=1).argmin())
        selected[index], distance = drawn[best], distances[best]
        distance[drawn[best]] = 0
    return rows[selected]


def lloyd(
    features: LoadedRows,
    centers: Floats,
    fixed: Floats,
    iterations: int,
    weights: Floats | None = None,
) -> Floats:
    """Run Lloyd's iterations with cosine similarity.

    An empty cluster restarts at the row with the lowest similarity to its center.

    Parameters
    ----------
    features
        Unit rows, shape (n, d).
    centers
        Initial unit centers, shape (k, d).
    fixed
        Centers that don't move, shape (c, d).
    iterations
        Largest number of iterations.
    weights
        Of the rows in the mean of their center, shape (n,); equal by default.

    Returns
    -------
    float32 array of shape (k, d)
        Unit centers.
    """
    k = len(centers)
    centers = centers.copy()
    before: Ids | None = None
    for _ in range(iterations):
        found = cluster(features, np.concatenate((centers, fixed)), weights)
        if before is not None and np.array_equal(before, found.assigned):
            break
        before = found.assigned
        means, filled = found.sums[:k], found.mass[:k] > 0
        length = np.linalg.norm(means, axis=1, keepdims=True)
        moved = filled & (length[:, 0] > 1e-12)
        centers[moved] = means[moved] / length[moved]
        empty = np.flatnonzero(~filled)
        if len(empty):
            worst = np.argpartition(found.similarity, len(empty) - 1)[: len(empty)]
            centers[empty] = read_rows(features, worst)
    return centers
