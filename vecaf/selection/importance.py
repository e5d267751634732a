"""Loss-proportional sampling: what still costs the model is drawn more often."""

from __future__ import annotations

import numpy as np

from vecaf.errors import InputError
from vecaf.selection.option_checks import check_power, check_share
from vecaf.selection.strategies import LABELS_KNOWN, Picks, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Draws images in proportion to their loss.",
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
) -> Picks:
    """Draw without replacement, p ∝ min(loss, its `ceiling` quantile)^gamma.

    Labels-known track only: the losses must be true ones. Unlike the paper we don't divide the
    gradients by p: drawing costly images more often is meant to change what is learned first.

    ceiling  quantile of the losses above which all rows count alike: the costliest are often
             mislabelled
    gamma    0 draws uniformly

    Ranked as drawn: any first part of the picks is drawn by the same weights. Scores: `loss`, and
    `weight` (p·n; 1 is average). Cost: one sort.
    """
    check_share("ceiling", ceiling)
    check_power("gamma", gamma)
    losses = pool.losses
    assert losses is not None  # `check_request` has seen to it
    if losses.min() < 0:
        raise InputError("losses holds a negative number; cross-entropy is 0 or more.")
    free = np.flatnonzero(pool.available())
    top = float(np.quantile(losses[free], ceiling))
    bounded = np.clip(losses[free].astype(np.float64), max(top / 1000, 1e-12), max(top, 1e-12))
    weight = bounded**gamma
    # Exponential clocks (Efraimidis & Spirakis 2006): a draw without replacement as one sort.
    order = np.argsort(rng.exponential(size=len(free)) / weight, kind="stable")[:budget]
    picked = free[order]
    return picked, {
        "loss": losses[picked],
        "weight": (weight / weight.mean())[order].astype(np.float32),
    }
