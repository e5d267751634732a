"""BADGE: k-means++ in the space of the gradients that the predicted labels would give."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.selection.option_checks import check_whole
from vecaf.selection.space import principal_space
from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool
from vecaf.selection.uncertainty import checked_probabilities


@strategy(
    description="Selects uncertain and diverse images by k-means++ on loss gradients.",
    paper="Ash et al. 2020, BADGE (ICLR), arXiv 1906.03671",
    required=("probabilities",),
)
def badge(
    pool: Pool, budget: int, rng: np.random.Generator, *, dimensions: int = 128
) -> StrategyResult:
    """Select by k-means++ seeding over the gradients of the last layer.

    If the predicted class ŷ of row i were its label, the gradient would be (p_i − e_ŷ) ⊗ x_i. It is
    long if the model is uncertain, and its direction depends on prediction and features. The first
    row has the longest gradient, as in the authors' program. Each further row is drawn with a
    probability proportional to its squared distance to the nearest selected gradient. Outer
    products are never computed: ⟨a⊗x, b⊗y⟩ = ⟨a, b⟩·⟨x, y⟩. As in the paper, earlier rounds have no
    effect.

    Ranked in the order of selection. Scores: `gradient`, the length of the gradient, and `distance`
    to the nearest gradient selected before (for the first row, its length).

    Parameters
    ----------
    pool, budget, rng
        As for every strategy; needs predictions, but no labels.
    dimensions
        Principal components that replace x; 0 keeps all features. Each selected row takes one pass
        over (n, dimensions + classes) numbers.

    References
    ----------
    Ash et al. 2020, Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds,
    arXiv 1906.03671.
    """
    x = principal_space(pool.features, check_whole("dimensions", dimensions, 0))
    p = checked_probabilities(pool)
    blame = p.copy()
    blame[np.arange(len(p)), p.argmax(axis=1)] -= 1
    selected, distance, length = seeded(blame, x, np.flatnonzero(pool.available()), budget, rng)
    return StrategyResult(selected, {"gradient": length, "distance": distance})


def seeded(
    a: Floats, x: Floats, free: Ids, budget: int, rng: np.random.Generator
) -> tuple[Ids, Floats, Floats]:
    """Run k-means++ over the rows a_i ⊗ x_i.

    Parameters
    ----------
    a, x
        Factors of the rows, shapes (n, c) and (n, d).
    free
        Rows that may be selected.
    budget
        Number of rows; if only duplicates of selected rows are left, they follow in their order.
    rng
        Source of randomness.

    Returns
    -------
    selected : int64 array of shape (budget,)
    distances : float32 array of shape (budget,)
        To the nearest row selected before.
    lengths : float32 array of shape (budget,)
    """
    a, x = a[free], x[free]
    squares = np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", x, x)
    # A difference of squares is exact to about 7 digits: below that, rows are duplicates.
    noise = np.float32(1e-6) * squares.max()
    nearest = squares.copy()
    left = np.ones(len(free), dtype=bool)
    selected = np.empty(budget, dtype=np.int64)
    reached = np.empty(budget, dtype=np.float32)
    for rank in range(budget):
        mass = np.cumsum(nearest, dtype=np.float64)
        if rank == 0:
            index = int(squares.argmax())
        elif mass[-1] > 0:
            index = int(np.searchsorted(mass, rng.random() * mass[-1], side="right"))
            index = min(index, int(np.flatnonzero(nearest)[-1]))
        else:
            index = int(left.argmax())
        selected[rank], reached[rank] = index, nearest[index]
        left[index] = False
        apart = squares + squares[index] - 2 * (a @ a[index]) * (x @ x[index])
        apart[apart < noise] = 0
        nearest = apart if rank == 0 else np.minimum(nearest, apart)
        nearest[index] = 0
    return free[selected], np.sqrt(reached), np.sqrt(squares[selected])
