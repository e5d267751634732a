"""Uncertainty of each row, from predicted probabilities."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats
from vecaf.errors import InputError
from vecaf.selection.strategies import StrategyResult
from vecaf.selection.strategy_pool import Pool


def checked_probabilities(pool: Pool) -> Floats:
    """Return the pool's probabilities (n, classes); raise InputError unless rows sum to 1."""
    p = pool.probabilities
    assert p is not None  # `check_request` ensures it
    if p.min() < 0 or np.abs(p.sum(axis=1) - 1).max() > 0.01:
        raise InputError(
            "probabilities must be 0 or more and sum to 1 in each row. Pass softmax outputs, "
            "not logits."
        )
    return p


def entropies(p: Floats) -> Floats:
    """Compute the Shannon entropy in nats of each row of p (n, classes): shape (n,)."""
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    total: Floats = -(p * logs).sum(axis=1)
    return total


def closeness(p: Floats) -> Floats:
    """Compute 1 − (greatest − second greatest probability) of each row: shape (n,), 1 for a tie."""
    if p.shape[1] < 2:
        return np.zeros(len(p), dtype=np.float32)
    two = np.partition(p, p.shape[1] - 2, axis=1)[:, -2:]
    gap: Floats = 1 - (two[:, 1] - two[:, 0])
    return gap


def highest(pool: Pool, budget: int, name: str, score: Floats) -> StrategyResult:
    """Select the available rows with the highest `score` (n,); ties are broken at random."""
    free = np.flatnonzero(pool.available())
    selected = free[np.argsort(-score[free], kind="stable")[:budget]]
    return StrategyResult(selected, {name: score[selected]})
