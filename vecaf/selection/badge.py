"""BADGE: k-means++ over the gradients that the model's own guesses would give."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.selection.option_checks import check_whole
from vecaf.selection.space import principal_space
from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool
from vecaf.selection.uncertainty import checked_probabilities


@strategy(
    description="Picks uncertain and different images, by their gradients.",
    paper="Ash et al. 2020, BADGE (ICLR), arXiv 1906.03671",
    required=("probabilities",),
)
def badge(pool: Pool, budget: int, rng: np.random.Generator, *, dimensions: int = 128) -> Picks:
    """k-means++ seeding in the space of the last layer's gradients, each under the best guess.

    The gradient of row i's cross-entropy, were its best guess ŷ right, is (p_i − e_ŷ) ⊗ x_i: long
    where the model is unsure, and turned apart where guesses or features differ. The first pick is
    the longest one (as in the authors' program), each further one is drawn with probability
    proportional to its squared distance to the nearest picked gradient. Both tracks: guesses stand
    in for labels. As in the paper, rows chosen earlier play no part.

    dimensions  leading principal components that stand for x (0: the features as they are); one
                pass over (n, dimensions + classes) a pick is what the time goes into

    Outer products are never formed: ⟨a⊗x, b⊗y⟩ = ⟨a, b⟩·⟨x, y⟩. Ranked in the order of picking.
    Scores: `gradient` (length of the gradient), `distance` (to the nearest gradient picked before;
    for the first pick its length).
    """
    x = principal_space(pool.features, check_whole("dimensions", dimensions, 0))
    p = checked_probabilities(pool)
    blame = p.copy()
    blame[np.arange(len(p)), p.argmax(axis=1)] -= 1
    picked, distance, length = seeded(blame, x, np.flatnonzero(pool.available()), budget, rng)
    return picked, {"gradient": length, "distance": distance}


def seeded(
    a: Floats, x: Floats, free: Ids, budget: int, rng: np.random.Generator
) -> tuple[Ids, Floats, Floats]:
    """k-means++ over the rows a_i ⊗ x_i of a (n, c) and x (n, d), among the rows `free`.

    Returns picks int64 (budget,), distances to the nearest earlier pick and lengths, float32.
    Where all that is left are twins of picks, the first of them follow in their order.
    """
    a, x = a[free], x[free]
    squares = np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", x, x)
    # A difference of squares keeps about 7 digits: below that, rows are twins.
    noise = np.float32(1e-6) * squares.max()
    nearest = squares.copy()
    left = np.ones(len(free), dtype=bool)
    picked = np.empty(budget, dtype=np.int64)
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
        picked[rank], reached[rank] = index, nearest[index]
        left[index] = False
        apart = squares + squares[index] - 2 * (a @ a[index]) * (x @ x[index])
        apart[apart < noise] = 0
        nearest = apart if rank == 0 else np.minimum(nearest, apart)
        nearest[index] = 0
    return free[picked], np.sqrt(reached), np.sqrt(squares[picked])
