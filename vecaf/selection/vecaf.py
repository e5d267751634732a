"""VeCAF's objective-aware data selection (ODS): typical images, weighted by what they cost."""

from __future__ import annotations

from typing import get_args

import numpy as np

from vecaf.arrays import Floats
from vecaf.errors import InputError
from vecaf.selection.assignment import nearest
from vecaf.selection.descent import Objective, check_descent, descend
from vecaf.selection.importance import importance
from vecaf.selection.kmeans import lloyd, seed_centres
from vecaf.selection.option_checks import check_number, check_power
from vecaf.selection.space import principal_space
from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool
from vecaf.selection.typical import typical_rows

SMALL = 5_000_000  # rows × centroids: below it four starts cost a few seconds
DRAWN = 100  # picks a class in one round, all labels known, from which rows are drawn by loss


@strategy(
    description="Typical images of every region; then of what the model is still unsure of.",
    paper="Zhang et al. 2024, VeCAF, arXiv 2401.07853",
    optional=("losses", "probabilities", "labels"),
    splits=True,
)
def vecaf(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    gamma: float | str = "auto",
    mix: float = 0.05,
    classes: int | None = None,
    objective: str = "paper",
    steps: int = 30,
    temperature: float = 0.07,
    learning_rate: float = 1e-3,
    dimensions: int = 128,
    restarts: int | None = None,
    width: float = 0.1,
) -> Picks:
    """Minimise Σ_i p_i·(ActiveFT's term of row i) over centroids, then take typical rows.

    1. Rows are seen in their `dimensions` leading principal components about the mean, where
       classes stand apart, scaled to unit length again (0 keeps the features as they are).
    2. Centroids start from weighted spherical k-means (`restarts` times, by default 4, or once
       where that would take minutes; the best by the objective is kept) and descend `steps` Adam
       steps (`descent.descend`).
    3. Of each centroid's rows the pick is the most typical one (`typical.typical_rows`): it has
       the greatest weighted similarity, exp((cosine − 1) / `width`), to the rows around it.

    The weights are p ∝ clip(loss, 5%, 95%)^`gamma`, mixed with `mix` of the uniform ones; without
    `losses` they are uniform. See `auto_gamma` for gamma="auto"; it needs `classes`, or
    `probabilities` or all `labels` to count them, and is 0 without. objective="released-code" has
    the loss multiply s_i inside the logarithm in the descent, instead of p outside it, as the
    authors' program does, for comparison: there a costly image pulls less. The start and the choice
    of typical rows stay weighted.

    Where all labels are known and a round picks at least DRAWN a class, typical rows have been seen
    long ago and what is hard is what training lacks: rows are drawn by their true loss
    (`importance`), with its scores. An explicit `gamma` or the other objective keeps to the
    centroids, which alone the other options are about.

    Rows chosen earlier are centroids that stay where they are. Ranked by coverage. Scores:
    loss_weight (p_i·n; 1 is average), density (mean similarity to the rows around it, 0 to 1),
    coverage (share of the pool's rows whose nearest centroid it is), similarity (to its centroid).
    """
    check_descent(steps, temperature, learning_rate)
    if restarts is None:
        restarts = 4 if len(pool) * (budget + len(pool.chosen)) <= SMALL else 1
    _check_options(gamma, mix, classes, objective, dimensions, restarts, width)
    classes = classes or _classes(pool)
    known = pool.losses is not None and _all_known(pool)  # else losses are partly expected ones
    drawn = gamma == "auto" and objective == "paper" and known
    if drawn and classes and budget >= DRAWN * classes:
        return importance(pool, budget, rng)
    earlier = len(pool.chosen)
    power = auto_gamma(budget + earlier, classes, earlier) if gamma == "auto" else float(gamma)
    weights = loss_weights(pool.losses, power, mix, len(pool))
    released = objective == "released-code" and pool.losses is not None
    rows = principal_space(pool.features, dimensions)
    fixed = rows[pool.chosen]
    best: Floats | None = None
    least = np.inf
    for _ in range(restarts):
        start = lloyd(rows, seed_centres(rows, pool, budget, rng), fixed, 20, weights)
        found = descend(
            rows,
            start,
            fixed=fixed,
            weights=None if released else weights,
            gains=_clipped(pool.losses) if released and pool.losses is not None else None,
            steps=steps,
            temperature=temperature,
            learning_rate=learning_rate,
            split=pool.split,
        )
        if best is None or found.losses[-1:].sum() < least:
            best, least = found.centroids, float(found.losses[-1:].sum())
    assert best is not None  # restarts ≥ 1
    centroids = np.concatenate((best, fixed))
    _, winner = nearest(rows, centroids)
    picked, density = typical_rows(rows, winner, best, pool.available(), weights, width)
    coverage = np.bincount(winner, minlength=len(centroids))[:budget] / len(pool)
    rank = np.argsort(-coverage, kind="stable")
    return picked[rank], {
        "loss_weight": (weights * len(pool))[picked[rank]],
        "density": density[rank],
        "coverage": coverage[rank].astype(np.float32),
        "similarity": np.einsum("ij,ij->i", rows[picked], best)[rank],
    }


def auto_gamma(picks: int, classes: int | None, earlier: int = 0) -> float:
    """γ = ½·log10(r / 100) for r picks a class, held within limits; 0 if r is unknown.

    picks    rows that will have been picked after this round
    earlier  how many of them were picked in earlier rounds

    Few picks a class must first show the model what is typical, so easy images weigh more (γ < 0);
    with hundreds a class what is still hard is what is left to learn (γ > 0). The limits are ∓½ in
    a first round. Later the model that gave the losses has been fitted to earlier picks: what it
    finds easy is what they cover already, and γ is 1, the paper's own weights (benchmarks/README.md
    says what other powers are worth). The rule itself reads no label, only counts.
    """
    if classes is None:
        return 0.0
    if earlier:
        return 1.0
    return float(np.clip(0.5 * np.log10(picks / classes / 100), -0.5, 0.5))


def _all_known(pool: Pool) -> bool:
    return pool.labels is not None and bool((pool.labels >= 0).all())


def _classes(pool: Pool) -> int | None:
    """How many classes there are, where predictions or a whole pool of labels tell."""
    if pool.probabilities is not None:
        return int(pool.probabilities.shape[1])
    return int(pool.labels.max()) + 1 if pool.labels is not None and _all_known(pool) else None


def loss_weights(losses: Floats | None, gamma: float, mix: float, n: int) -> Floats:
    """p, float32 (n,), sums to 1: (1 − mix)·clip(loss, 5%, 95%)^γ normalised + mix/n.

    Raises InputError for a negative loss.
    """
    uniform = np.full(n, 1 / n, dtype=np.float32)
    if losses is None or gamma == 0:
        return uniform
    p = np.power(_clipped(losses), np.float32(gamma))
    mixed: Floats = (1 - np.float32(mix)) * (p / p.sum()) + np.float32(mix) * uniform
    return mixed


def _clipped(losses: Floats) -> Floats:
    """Losses between their 5% and 95% quantiles, and at least a thousandth of the latter."""
    if losses.min() < 0:
        raise InputError("losses holds a negative number; cross-entropy is 0 or more.")
    low, high = np.quantile(losses, (0.05, 0.95))
    if high <= 0:
        return np.ones_like(losses)
    return np.clip(losses, max(low, high / 1000), high).astype(np.float32)


def _check_options(
    gamma: float | str,
    mix: float,
    classes: int | None,
    objective: str,
    dimensions: int,
    restarts: int,
    width: float,
) -> None:
    if isinstance(gamma, str):
        if gamma != "auto":
            raise InputError(f"gamma is '{gamma}'; use 'auto' or a number.")
    else:
        check_power("gamma", gamma)
    if not 0 <= check_number("mix", mix) <= 1:
        raise InputError(f"mix is {mix}; use a number from 0 to 1.")
    if objective not in get_args(Objective):
        raise InputError(
            f"objective is '{objective}'; use {' or '.join(map(repr, get_args(Objective)))}."
        )
    check_number("width", width, above=0.0, usual=0.1)
    for name, value, least in (
        ("classes", 1 if classes is None else classes, 1),
        ("dimensions", dimensions, 0),
        ("restarts", restarts, 1),
    ):
        if not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{name} is {value!r}; use a whole number, at least {least}.")
