"""Margin sampling: the images whose two most likely classes have similar probabilities."""

from __future__ import annotations

import numpy as np

from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool
from vecaf.selection.uncertainty import checked_probabilities, closeness, highest


@strategy(
    description="Selects images whose two likeliest classes have close probabilities.",
    paper="Scheffer, Decomain & Wrobel 2001, Active Hidden Markov Models (IDA); Settles 2009",
    required=("probabilities",),
)
def margin(pool: Pool, budget: int, rng: np.random.Generator) -> StrategyResult:
    """Select the rows with the smallest difference of the two greatest probabilities.

    Unlike entropy, it ignores unlikely classes, so with many classes it selects rows at the
    boundary of two of them. Score: `closeness`, 1 − difference (1 for a tie).

    References
    ----------
    Scheffer, Decomain & Wrobel 2001, Active Hidden Markov Models for Information Extraction.
    """
    return highest(pool, budget, "closeness", closeness(checked_probabilities(pool)))
