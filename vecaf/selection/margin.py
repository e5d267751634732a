"""Margin sampling: the images between the model's two best guesses."""

from __future__ import annotations

import numpy as np

from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool
from vecaf.selection.uncertainty import checked_probabilities, closeness, highest


@strategy(
    description="Picks where the model's two best guesses are closest.",
    paper="Scheffer, Decomain & Wrobel 2001, Active Hidden Markov Models (IDA); Settles 2009",
    required=("probabilities",),
)
def margin(pool: Pool, budget: int, rng: np.random.Generator) -> Picks:
    """The rows with the smallest gap between the greatest and the second greatest probability.

    Both tracks: it reads predictions, no label. Unlike entropy it ignores how the unlikely classes
    share the rest, so with many classes it stays at the boundaries between two of them.
    Ranked by `closeness`, 1 − gap (0 to 1, 1 for a tie). Cost: one partial sort a row.
    """
    return highest(pool, budget, "closeness", closeness(checked_probabilities(pool)))
