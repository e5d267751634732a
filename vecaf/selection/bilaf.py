"""BiLAF: core images of the pool, then images at the boundaries between their classes."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.selection.assignment import nearest, nearest_unused
from vecaf.selection.boundaries import boundary_rows, boundary_scores, denoise, proportional_shares
from vecaf.selection.centroids import optimize_centroids
from vecaf.selection.kmeans import lloyd, seed_centers
from vecaf.selection.neighbor_distances import members
from vecaf.selection.option_checks import check_number, check_share, check_whole
from vecaf.selection.space import principal_space
from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Selects central images, then images at the boundaries between clusters.",
    paper="Lu et al. 2024, BiLAF (NeurIPS), arXiv 2403.10069",
)
def bilaf(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    core_share: float = 0.2,
    neighbors: int = 10,
    noise: float = 0.1,
    absorb: float = 0.1,
    penalty: float = 1.1,
    steps: int = 30,
    dimensions: int = 128,
) -> StrategyResult:
    """Select core rows for a share of the budget, then boundary rows.

    1. Cores: centroids by ActiveFT's objective; each selects its nearest unselected row. Centroids
       start from k-means, so 30 `steps` suffice where random rows need 300. Each row belongs to the
       pseudo-class of its nearest core.
    2. Denoising (`boundaries.denoise`): a pseudo-class grows from its core by the share `absorb` of
       its rows at a time, nearest rows first. The share `noise` that would come last is ignored.
    3. The boundary score of a row is (b − a) / max(a, b), with its mean distance a to its own
       pseudo-class and b to the nearest other one. It is low at a boundary. Distances are 1 −
       cosine, half the squared distance of unit rows, so their means need no pairs.
    4. Each pseudo-class selects the row with the lowest score, in proportion to its size. The
       `neighbors` nearest rows of a selected row are skipped. The class across the boundary then
       counts as `penalty` times farther, so that other boundaries are selected, too.

    The paper selects once. Here, rows of earlier rounds are fixed cores. Ranked: cores by the size
    of their pseudo-class, then boundary rows by score. Scores: `core` (1 or 0) and `border`, the
    boundary score (−1 to 1). The time grows with the square of the rows of each pseudo-class.

    Parameters
    ----------
    pool, budget, rng
        As for every strategy; needs only features.
    core_share
        Share of cores in the budget. The paper used 50 cores of 250 rows on CIFAR-10.
    neighbors, noise, absorb, penalty
        As above; the defaults are the paper's.
    steps
        Adam steps for the cores.
    dimensions
        Principal components in which rows are compared; 0 keeps all features.

    References
    ----------
    Lu et al. 2024, Boundary Matters: A Bi-Level Active Finetuning Framework, arXiv 2403.10069.
    """
    check_whole("neighbors", neighbors, 1)
    check_whole("steps", steps, 0)
    check_number("penalty", penalty, above=0.0, usual=1.1)
    check_number("absorb", absorb, above=0.0, usual=0.1)
    check_share("noise", noise, below_one=True)
    count = max(1, round(check_share("core_share", core_share) * budget))
    rows = principal_space(pool.features, check_whole("dimensions", dimensions, 0))
    free = pool.available()
    cores = core_rows(rows, pool, count, rng, steps)
    free[cores] = False
    centers = np.concatenate((cores, pool.earlier))
    _, group = nearest(rows, rows[centers])
    group[centers] = np.arange(len(centers))  # a duplicate must not own a core's row

    classes = list(members(group, len(centers)))
    kept = [denoise(rows[own], center, neighbors, noise, absorb)
            for own, center in zip(classes, _places(classes, centers), strict=True)]  # fmt: skip
    means = np.stack(
        [rows[own[keep]].mean(axis=0) for own, keep in zip(classes, kept, strict=True)]
    )
    sizes = np.array([len(own) for own in classes])
    limits = np.array([int(free[own].sum()) for own in classes])
    shares = proportional_shares(budget - count, sizes, limits)
    selected, score = [cores], [np.zeros(count, dtype=np.float32)]
    for index, own in enumerate(classes):
        distance = 1 - rows[own] @ means.T
        plain = boundary_scores(distance, index)
        if index < count:
            score[0][index] = plain[np.flatnonzero(own == cores[index])[0]]
        if shares[index]:
            found = boundary_rows(
                rows[own], distance, index, kept[index], free[own], int(shares[index]), neighbors,
                penalty,
            )  # fmt: skip
            selected.append(own[found])
            score.append(plain[found])
    return _ranked(selected, score, sizes[:count])


def core_rows(rows: Floats, pool: Pool, count: int, rng: np.random.Generator, steps: int) -> Ids:
    """Select `count` rows by ActiveFT's objective, started from k-means.

    Rows of earlier rounds are fixed centroids, which repel the others.
    """
    fixed = rows[pool.earlier]
    start = lloyd(rows, seed_centers(rows, pool, count, rng), fixed, 20)
    found = optimize_centroids(rows, start, fixed=fixed, steps=steps)
    return nearest_unused(rows, found.centroids, pool.available())


def _places(classes: list[Ids], centers: Ids) -> list[int]:
    """Return the position of each class's center among the rows of the class."""
    pairs = zip(classes, centers, strict=True)
    return [int(np.flatnonzero(own == center)[0]) for own, center in pairs]


def _ranked(selected: list[Ids], score: list[Floats], sizes: Ids) -> StrategyResult:
    cores, border = selected[0], np.concatenate([np.empty(0, np.int64), *selected[1:]])
    values = np.concatenate([np.empty(0, np.float32), *score[1:]])
    first, then = np.argsort(-sizes, kind="stable"), np.argsort(values, kind="stable")
    return StrategyResult(
        np.concatenate((cores[first], border[then])),
        {
            "core": np.concatenate((np.ones(len(cores)), np.zeros(len(border)))).astype(np.float32),
            "border": np.concatenate((score[0][first], values[then])),
        },
    )
