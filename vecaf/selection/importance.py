"""Importance sampling: images with a high loss are drawn more often."""

from __future__ import annotations

import numpy as np

from vecaf.errors import InputError
from vecaf.selection.option_checks import check_power, check_share
from vecaf.selection.strategies import LABELS_KNOWN, StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Samples images with probability proportional to their loss.",
    paper="Katharopoulos & Fleuret 2018 (ICML), arXiv 1803.00942",
    tracks=(LABELS_KNOWN,),
    required=("losses",),
)
def importance(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    ceiling: float = 0.9,
    gamma: float = 1.0,
) -> StrategyResult:
    """Draw rows without replacement, p ∝ min(loss, its `ceiling` quantile)^gamma.

    The paper divides gradients by p, which keeps the objective. This strategy doesn't: it is meant
    to change what the model learns first. Ranked as drawn. Scores: `loss`, and `weight` (p·n, so 1
    is average).

    Parameters
    ----------
    pool, budget, rng
        As for every strategy; `losses` must come from the true label of every row.
    ceiling
        Quantile of the losses above which all rows have the same weight: the highest losses are
        often mislabeled images.
    gamma
        Exponent; 0 draws uniformly.

    References
    ----------
    Katharopoulos & Fleuret 2018, Not All Samples Are Created Equal, arXiv 1803.00942; Efraimidis &
    Spirakis 2006, Weighted random sampling with a reservoir.
    """
    check_share("ceiling", ceiling)
    check_power("gamma", gamma)
    losses = pool.losses
    assert losses is not None  # `check_request` ensures it
    if losses.min() < 0:
        raise InputError("losses contains a negative number, but cross-entropy is never negative.")
    free = np.flatnonzero(pool.available())
    top = float(np.quantile(losses[free], ceiling))
    bounded = np.clip(losses[free].astype(np.float64), max(top / 1000, 1e-12), max(top, 1e-12))
    weight = bounded**gamma
    # Exponential keys give a weighted draw without replacement by one sort.
    order = np.argsort(rng.exponential(size=len(free)) / weight, kind="stable")[:budget]
    selected = free[order]
    return StrategyResult(
        selected,
        {
            "loss": losses[selected],
            "weight": (weight / weight.mean())[order].astype(np.float32),
        },
    )
