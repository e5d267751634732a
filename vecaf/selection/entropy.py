"""Entropy sampling: the images with the most uncertain predictions."""

from __future__ import annotations

import numpy as np

from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool
from vecaf.selection.uncertainty import checked_probabilities, entropies, highest


@strategy(
    description="Selects images with the most uncertain predictions, by entropy.",
    paper="Settles 2009, Active Learning Literature Survey (Univ. of Wisconsin, TR 1648), §3.1",
    required=("probabilities",),
)
def entropy(pool: Pool, budget: int, rng: np.random.Generator) -> StrategyResult:
    """Select the rows with the highest Shannon entropy −Σ_c p_c·log p_c of the predictions.

    Each row is scored independently, so near-duplicates are selected together. With few labels, it
    prefers outliers and is often worse than random selection. Score: `entropy` in nats.

    References
    ----------
    Settles 2009, Active Learning Literature Survey, section 3.1.
    """
    return highest(pool, budget, "entropy", entropies(checked_probabilities(pool)))
