"""Entropy sampling: the images that the model is least sure about."""

from __future__ import annotations

import numpy as np

from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool
from vecaf.selection.uncertainty import checked_probabilities, entropies, highest


@strategy(
    description="Picks what the model is least sure about, by entropy.",
    paper="Settles 2009, Active Learning Literature Survey (Univ. of Wisconsin, TR 1648), §3.1",
    required=("probabilities",),
)
def entropy(pool: Pool, budget: int, rng: np.random.Generator) -> Picks:
    """The rows with the highest Shannon entropy −Σ_c p_c·log p_c of the predictions.

    Both tracks: it reads predictions, no label. It looks at each row alone, so it takes near twins
    together, and with few labels it prefers outliers: below random at small budgets, as a rule.
    Ranked by `entropy` (nats, 0 to log classes). Cost: one sort.
    """
    return highest(pool, budget, "entropy", entropies(checked_probabilities(pool)))
