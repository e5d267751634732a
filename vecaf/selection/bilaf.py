"""BiLAF: core images for the bulk of the pool, then images at the borders between them."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.selection.assignment import nearest, nearest_unused
from vecaf.selection.borders import border_rows, border_scores, denoised, proportional_shares
from vecaf.selection.descent import descend
from vecaf.selection.kmeans import lloyd, seed_centres
from vecaf.selection.neighbor_distances import members
from vecaf.selection.option_checks import check_number, check_share, check_whole
from vecaf.selection.space import principal_space
from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Picks core images, then those at the borders between their clusters.",
    paper="Lu et al. 2024, BiLAF (NeurIPS), arXiv 2403.10069",
    splits=True,
)
def bilaf(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    core_share: float = 0.2,
    neighbours: int = 10,
    noise: float = 0.1,
    absorb: float = 0.1,
    penalty: float = 1.1,
    steps: int = 30,
    dimensions: int = 128,
) -> Picks:
    """Two levels: `core_share` of the budget are core rows, the rest border rows.

    1. Cores: centroids by ActiveFT's objective, each takes its nearest free row. Here they start
       from k-means, so that 30 `steps` do where random rows need 300. Each row joins the nearest
       core's pseudo-class.
    2. Denoising (`borders.denoised`): from its core a pseudo-class absorbs `absorb` of its rows at
       a time, those nearest to what it holds already; the share `noise` that would come last takes
       no part.
    3. A row's border score is (b − a) / max(a, b), with a its mean distance to its own
       pseudo-class and b that to the nearest other one: low at a border. Distances are 1 − cosine
       (half the squared distance of unit rows), whose means need no pairs.
    4. Each pseudo-class, in proportion to its size, gives its row of the lowest score, again and
       again: the `neighbours` nearest rows of a pick are set aside, and the class across the border
       counts as `penalty` times farther from then on, so that other borders get their turn.

    Both tracks; it needs nothing but features. The paper selects once; in later rounds earlier
    picks are cores, too, that stay where they are. `neighbours`, `noise`, `absorb` and `penalty`
    are the paper's; it took 50 cores of 250 picks and more on CIFAR-10, hence `core_share`.
    `dimensions` are the leading principal components in which rows are compared (0: the features).

    Ranked cores first (largest pseudo-class first), then border rows by score. Scores: `core` (1 or
    0) and `border` (−1 to 1). Cost: ActiveFT's with few centroids, and for each pseudo-class the
    square of its rows.
    """
    check_whole("neighbours", neighbours, 1)
    check_whole("steps", steps, 0)
    check_number("penalty", penalty, above=0.0, usual=1.1)
    check_number("absorb", absorb, above=0.0, usual=0.1)
    check_share("noise", noise, below_one=True)
    count = max(1, round(check_share("core_share", core_share) * budget))
    rows = principal_space(pool.features, check_whole("dimensions", dimensions, 0))
    free = pool.available()
    cores = core_rows(rows, pool, count, rng, steps)
    free[cores] = False
    centres = np.concatenate((cores, pool.chosen))
    _, group = nearest(rows, rows[centres])
    group[centres] = np.arange(len(centres))  # twins of a core don't take its own row from it

    classes = list(members(group, len(centres)))
    kept = [denoised(rows[own], centre, neighbours, noise, absorb)
            for own, centre in zip(classes, _places(classes, centres), strict=True)]  # fmt: skip
    means = np.stack(
        [rows[own[keep]].mean(axis=0) for own, keep in zip(classes, kept, strict=True)]
    )
    sizes = np.array([len(own) for own in classes])
    limits = np.array([int(free[own].sum()) for own in classes])
    shares = proportional_shares(budget - count, sizes, limits)
    picked, score = [cores], [np.zeros(count, dtype=np.float32)]
    for index, own in enumerate(classes):
        distance = 1 - rows[own] @ means.T
        plain = border_scores(distance, index)
        if index < count:
            score[0][index] = plain[np.flatnonzero(own == cores[index])[0]]
        if shares[index]:
            found = border_rows(
                rows[own], distance, index, kept[index], free[own], int(shares[index]), neighbours,
                penalty,
            )  # fmt: skip
            picked.append(own[found])
            score.append(plain[found])
    return _ranked(picked, score, sizes[:count])


def core_rows(rows: Floats, pool: Pool, count: int, rng: np.random.Generator, steps: int) -> Ids:
    """`count` free rows by ActiveFT's objective from a k-means start; earlier picks repel them."""
    fixed = rows[pool.chosen]
    start = lloyd(rows, seed_centres(rows, pool, count, rng), fixed, 20)
    found = descend(rows, start, fixed=fixed, steps=steps, split=pool.split)
    return nearest_unused(rows, found.centroids, pool.available())


def _places(classes: list[Ids], centres: Ids) -> list[int]:
    """Where each class's centre stands among its rows."""
    pairs = zip(classes, centres, strict=True)
    return [int(np.flatnonzero(own == centre)[0]) for own, centre in pairs]


def _ranked(picked: list[Ids], score: list[Floats], sizes: Ids) -> Picks:
    cores, border = picked[0], np.concatenate([np.empty(0, np.int64), *picked[1:]])
    values = np.concatenate([np.empty(0, np.float32), *score[1:]])
    first, then = np.argsort(-sizes, kind="stable"), np.argsort(values, kind="stable")
    return np.concatenate((cores[first], border[then])), {
        "core": np.concatenate((np.ones(len(cores)), np.zeros(len(border)))).astype(np.float32),
        "border": np.concatenate((score[0][first], values[then])),
    }
