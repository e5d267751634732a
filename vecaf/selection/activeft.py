"""ActiveFT: parametric selection that matches the pool's distribution and keeps diversity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecaf.errors import InputError
from vecaf.selection.centroids import check_descent, descend, nearest, nearest_unused
from vecaf.selection.pool import Floats, Ids, Pool
from vecaf.selection.registry import Picks, strategy


@strategy(
    description="Moves centroids to cover the pool while they repel each other; no labels needed.",
    paper="Xie et al. 2023, arXiv 2303.14382",
)
def activeft(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    initial_ids: npt.ArrayLike | None = None,
    steps: int = 300,
    temperature: float = 0.07,
    learning_rate: float = 1e-3,
) -> Picks:
    """Train `budget` centroids (see `centroids.descend`), then each takes its nearest free row.

    initial_ids    rows where the centroids start, (budget,); random available rows by default
    steps          Adam steps over the pool
    temperature    τ of the similarities
    learning_rate  of Adam

    Rows chosen earlier are centroids that stay where they are. The defaults are the paper's.
    Ranked by coverage: the share of the pool that is nearest to the pick's centroid.
    """
    check_descent(steps, temperature, learning_rate)
    start = starting_rows(pool, budget, initial_ids)
    fixed = pool.features[pool.chosen]
    found = descend(
        pool.features,
        pool.features[start],
        fixed=fixed,
        steps=steps,
        temperature=temperature,
        learning_rate=learning_rate,
    )
    picked = nearest_unused(pool.features, found.centroids, pool.available())
    return by_coverage(pool, picked, found.centroids)


def starting_rows(pool: Pool, budget: int, initial_ids: npt.ArrayLike | None) -> Ids:
    """Positions where the centroids start: the caller's, else random available ones."""
    if initial_ids is None:
        return np.flatnonzero(pool.available())[:budget]
    start = pool.positions(initial_ids, "initial_ids")
    if len(start) != budget:
        raise InputError(f"initial_ids has {len(start)} rows; give one for each of {budget} picks.")
    return start


def by_coverage(pool: Pool, picked: Ids, centroids: Floats) -> Picks:
    """`picked` (one row a centroid) ranked by coverage, with what explains each of them.

    coverage    share of the pool's rows whose nearest centroid (earlier picks included) it is
    similarity  cosine between the picked row and its centroid
    """
    _, winner = nearest(pool.features, np.concatenate((centroids, pool.features[pool.chosen])))
    coverage = np.bincount(winner, minlength=len(centroids))[: len(centroids)] / len(pool)
    similarity = np.einsum("ij,ij->i", pool.features[picked], centroids)
    rank = np.argsort(-coverage, kind="stable")
    return picked[rank], {
        "coverage": coverage[rank].astype(np.float32),
        "similarity": similarity[rank],
    }
