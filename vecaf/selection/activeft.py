"""ActiveFT: parametric selection that matches the pool's distribution and keeps diversity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.assignment import assign
from vecaf.selection.blocks import Rows, read
from vecaf.selection.descent import check_descent, descend
from vecaf.selection.option_checks import check_whole
from vecaf.selection.space import WIDEST, narrowed
from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Moves centroids to cover the pool while they repel each other; no labels needed.",
    paper="Xie et al. 2023, arXiv 2303.14382",
    splits=True,
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
) -> Picks:
    """Train `budget` centroids (see `descent.descend`), then each takes its nearest free row.

    initial_ids    rows where the centroids start, (budget,); random available rows by default
    steps          Adam steps over the pool
    temperature    τ of the similarities
    learning_rate  of Adam
    dimensions     features wider than this are compared in so many principal components (0: never)
    batch_rows     rows that a step sees; of larger pools, steps see one slice after another

    Features that are a float16 memory map (`numpy.load(…, mmap_mode="r")`) of no more dimensions
    stay in their file: memory does not grow with the pool.

    Rows chosen earlier are centroids that stay where they are. The defaults are the paper's.
    Ranked by coverage: the share of the pool that is nearest to the pick's centroid.
    """
    check_descent(steps, temperature, learning_rate)
    width = check_whole("dimensions", dimensions, 0)
    wide = bool(width) and pool.rows.shape[1] > width
    rows = narrowed(pool.features, width) if wide else pool.rows
    start = starting_rows(pool, budget, initial_ids)
    found = descend(
        rows,
        read(rows, start),
        fixed=read(rows, pool.chosen),
        batch_rows=check_whole("batch_rows", batch_rows, 1),
        steps=steps,
        temperature=temperature,
        learning_rate=learning_rate,
        split=pool.split,
    )
    return by_coverage(rows, pool, found.centroids)


def starting_rows(pool: Pool, budget: int, initial_ids: npt.ArrayLike | None) -> Ids:
    """Positions where the centroids start: the caller's, else random available ones."""
    if initial_ids is None:
        return np.flatnonzero(pool.available())[:budget]
    start = pool.positions(initial_ids, "initial_ids")
    if len(start) != budget:
        raise InputError(f"initial_ids has {len(start)} rows; give one for each of {budget} picks.")
    return start


def by_coverage(rows: Rows, pool: Pool, centroids: Floats) -> Picks:
    """The free row nearest to each centroid (k, d), ranked by coverage, and what explains it.

    rows        the pool's rows as they are compared
    coverage    share of the pool's rows whose nearest centroid (earlier picks included) it is
    similarity  cosine between the picked row and its centroid
    """
    k = len(centroids)
    found = assign(rows, centroids, read(rows, pool.chosen), pool.available())
    coverage = np.bincount(found.winner, minlength=k)[:k] / len(rows)
    similarity = np.einsum("ij,ij->i", read(rows, found.picked), centroids)
    rank = np.argsort(-coverage, kind="stable")
    return found.picked[rank], {
        "coverage": coverage[rank].astype(np.float32),
        "similarity": similarity[rank],
    }
