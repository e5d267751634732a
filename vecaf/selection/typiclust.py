"""TypiClust: the most typical image of each large cluster that has no pick yet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vecaf.selection.assignment import nearest
from vecaf.selection.kmeans import lloyd, seed_centres
from vecaf.selection.neighbor_distances import members, neighbour_distance
from vecaf.selection.option_checks import check_whole
from vecaf.selection.space import principal_space
from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool

SMALLEST = 5  # clusters of so few rows are outliers: they are served last


@strategy(
    description="Clusters the images and picks the densest place of each cluster.",
    paper="Hacohen, Dekel & Weinshall 2022, TypiClust (ICML), arXiv 2202.02794",
)
def typiclust(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    max_clusters: int = 500,
    neighbours: int = 20,
    dimensions: int = 128,
) -> Picks:
    """Typical rows of the largest clusters that hold the fewest earlier picks.

    1. k-means (on the sphere) into budget + earlier picks clusters, at most `max_clusters`.
    2. Clusters are served in turn, those with the fewest earlier picks first, then the larger
       ones; clusters of 5 rows or fewer come last.
    3. A cluster gives its most typical row: typicality is 1 / mean distance to the `neighbours`
       nearest rows of the cluster that are not picked. Where it serves again, the next in order.

    max_clusters  500, as in the authors' program: density needs some dozens of rows a cluster
    neighbours    20, the paper's
    dimensions    leading principal components in which rows are compared (0: the features as they
                  are): a tenth of the work of 1,280 features

    Both tracks; it needs nothing but features. Scores: `typicality`, and `cluster`, the share of
    the pool in the pick's cluster. Cost: k-means, and for each cluster the square of its rows.
    """
    check_whole("neighbours", neighbours, 1)
    rows = principal_space(pool.features, check_whole("dimensions", dimensions, 0))
    wanted = min(budget + len(pool.chosen), check_whole("max_clusters", max_clusters, 1))
    everything = replace(pool, chosen=pool.chosen[:0])
    start = seed_centres(rows, everything, wanted, rng)
    centres = lloyd(rows, start, rows[:0], 20)
    _, cluster = nearest(rows, centres)
    sizes = np.bincount(cluster, minlength=wanted)
    served = np.bincount(cluster[pool.chosen], minlength=wanted)
    place = np.empty(wanted, dtype=np.int64)  # the turn that each cluster has
    place[np.lexsort((-sizes, served, sizes <= SMALLEST))] = np.arange(wanted)

    free = pool.available()
    typicality = np.zeros(len(pool), dtype=np.float32)
    turn = np.zeros(len(pool), dtype=np.int64)
    for own in members(np.where(free, cluster, -1), wanted):
        typicality[own] = 1 / (neighbour_distance(rows[own], neighbours) + np.float32(1e-5))
        turn[own[np.argsort(-typicality[own], kind="stable")]] = np.arange(len(own))
    open_rows = np.flatnonzero(free)
    home = cluster[open_rows]
    order = np.lexsort((place[home], turn[open_rows], sizes[home] <= SMALLEST))
    picked = open_rows[order[:budget]]
    return picked, {
        "typicality": typicality[picked],
        "cluster": (sizes / len(pool))[cluster[picked]].astype(np.float32),
    }
