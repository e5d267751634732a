"""ActiveFT: parametric selection that matches the distribution of the pool and keeps diversity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.assignment import assign
from vecaf.selection.centroids import check_optimizer, optimize_centroids
from vecaf.selection.option_checks import check_whole
from vecaf.selection.space import WIDEST, narrowed
from vecaf.selection.stored_rows import FeatureRows, read_rows
from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Selects the images nearest to centroids that cover the pool and repel each other.",
    paper="Xie et al. 2023, arXiv 2303.14382",
    sharded=True,
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
    dimensions: int = WIDEST,
    batch_rows: int = 100_000,
) -> StrategyResult:
    """Optimize `budget` centroids, then select the unselected row nearest to each.

    Rows of earlier rounds are fixed centroids. The defaults are the paper's. Scores: `coverage`,
    the share of the pool whose nearest centroid it is (the rank order), and `similarity` to its
    centroid.

    Float16 features in a memory map (`numpy.load(…, mmap_mode="r")`) with at most `dimensions`
    features are read from their file in chunks, so memory doesn't grow with the pool.

    Parameters
    ----------
    pool, budget, rng
        As for every strategy.
    initial_ids
        Rows where the centroids start, shape (budget,). By default, random rows.
    steps
        Adam steps.
    temperature
        τ of the similarities.
    learning_rate
        Of Adam.
    dimensions
        Wider features are reduced to this many principal components; 0 keeps all features.
    batch_rows
        Rows per step. In a larger pool, steps use consecutive slices.

    References
    ----------
    Xie et al. 2023, Active Finetuning, arXiv 2303.14382.
    """
    check_optimizer(steps, temperature, learning_rate)
    width = check_whole("dimensions", dimensions, 0)
    wide = bool(width) and pool.rows.shape[1] > width
    rows = narrowed(pool.loaded, width) if wide else pool.rows
    start = starting_rows(pool, budget, initial_ids)
    found = optimize_centroids(
        rows,
        read_rows(rows, start),
        fixed=read_rows(rows, pool.earlier),
        batch_rows=check_whole("batch_rows", batch_rows, 1),
        steps=steps,
        temperature=temperature,
        learning_rate=learning_rate,
    )
    return by_coverage(rows, pool, found.centroids)


def starting_rows(pool: Pool, budget: int, initial_ids: npt.ArrayLike | None) -> Ids:
    """Return the positions where centroids start: `initial_ids`, or random available rows."""
    if initial_ids is None:
        return np.flatnonzero(pool.available())[:budget]
    start = pool.positions(initial_ids, "initial_ids")
    if len(start) != budget:
        raise InputError(f"initial_ids has {len(start)} rows. Pass {budget}.")
    return start


def by_coverage(rows: FeatureRows, pool: Pool, centroids: Floats) -> StrategyResult:
    """Select the unselected row nearest to each centroid, ranked by coverage.

    Parameters
    ----------
    rows
        The pool's rows in the space of the centroids, shape (n, d).
    pool
        The pool.
    centroids
        Shape (k, d).

    Returns
    -------
    StrategyResult
        Scores: `coverage`, the share of the pool whose nearest centroid it is, and `similarity`,
        the cosine between the selected row and its centroid.
    """
    k = len(centroids)
    found = assign(rows, centroids, read_rows(rows, pool.earlier), pool.available())
    coverage = np.bincount(found.assigned, minlength=k)[:k] / len(rows)
    similarity = np.einsum("ij,ij->i", read_rows(rows, found.selected), centroids)
    rank = np.argsort(-coverage, kind="stable")
    return StrategyResult(
        found.selected[rank],
        {
            "coverage": coverage[rank].astype(np.float32),
            "similarity": similarity[rank],
        },
    )
