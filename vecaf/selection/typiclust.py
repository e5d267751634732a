"""TypiClust: the most typical image of each large cluster without a selected image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vecaf.selection.assignment import nearest
from vecaf.selection.kmeans import lloyd, seed_centers
from vecaf.selection.neighbor_distances import members, neighbor_distance
from vecaf.selection.option_checks import check_whole
from vecaf.selection.space import principal_space
from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool

SMALLEST = 5  # clusters of at most this size are outliers; they come last


@strategy(
    description="Clusters the images and selects the most typical image of each cluster.",
    paper="Hacohen, Dekel & Weinshall 2022, TypiClust (ICML), arXiv 2202.02794",
)
def typiclust(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    max_clusters: int = 500,
    neighbors: int = 20,
    dimensions: int = 128,
) -> StrategyResult:
    """Select the most typical rows of the largest clusters with the fewest rows of earlier rounds.

    1. Spherical k-means with as many clusters as rows of all rounds, at most `max_clusters`.
    2. Clusters take turns: first those with the fewest earlier rows, then by size; clusters of 5
       rows or fewer come last.
    3. A cluster gives its most typical row. Typicality is 1 / mean distance to the `neighbors`
       nearest available rows of the cluster. In its next turn, it gives the next row.

    Scores: `typicality`, and `cluster`, the share of the pool in the row's cluster. The time grows
    with the square of the rows of each cluster.

    Parameters
    ----------
    pool, budget, rng
        As for every strategy; needs only features.
    max_clusters
        500 as in the authors' program: the density needs some dozens of rows per cluster.
    neighbors
        20 as in the paper.
    dimensions
        Principal components in which rows are compared; 0 keeps all features. 128 take a tenth of
        the time of 1,280.

    References
    ----------
    Hacohen, Dekel & Weinshall 2022, Active Learning on a Budget, arXiv 2202.02794.
    """
    check_whole("neighbors", neighbors, 1)
    rows = principal_space(pool.features, check_whole("dimensions", dimensions, 0))
    wanted = min(budget + len(pool.earlier), check_whole("max_clusters", max_clusters, 1))
    everything = replace(pool, earlier=pool.earlier[:0])
    start = seed_centers(rows, everything, wanted, rng)
    centers = lloyd(rows, start, rows[:0], 20)
    _, cluster = nearest(rows, centers)
    sizes = np.bincount(cluster, minlength=wanted)
    served = np.bincount(cluster[pool.earlier], minlength=wanted)
    place = np.empty(wanted, dtype=np.int64)  # turn of each cluster
    place[np.lexsort((-sizes, served, sizes <= SMALLEST))] = np.arange(wanted)

    free = pool.available()
    typicality = np.zeros(len(pool), dtype=np.float32)
    turn = np.zeros(len(pool), dtype=np.int64)
    for own in members(np.where(free, cluster, -1), wanted):
        typicality[own] = 1 / (neighbor_distance(rows[own], neighbors) + np.float32(1e-5))
        turn[own[np.argsort(-typicality[own], kind="stable")]] = np.arange(len(own))
    open_rows = np.flatnonzero(free)
    home = cluster[open_rows]
    order = np.lexsort((place[home], turn[open_rows], sizes[home] <= SMALLEST))
    selected = open_rows[order[:budget]]
    return StrategyResult(
        selected,
        {
            "typicality": typicality[selected],
            "cluster": (sizes / len(pool))[cluster[selected]].astype(np.float32),
        },
    )
