"""VeCAF's objective-aware data selection (ODS): images that represent those with a high loss."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np

from vecaf.arrays import Floats
from vecaf.errors import InputError
from vecaf.selection.assignment import nearest
from vecaf.selection.centroids import (
    Objective,
    OptimizedCentroids,
    check_optimizer,
    optimize_centroids,
)
from vecaf.selection.cluster_density import densest_rows
from vecaf.selection.importance import importance
from vecaf.selection.kmeans import lloyd, seed_centers
from vecaf.selection.option_checks import check_number, check_power
from vecaf.selection.space import principal_space
from vecaf.selection.stored_rows import read_rows
from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool
from vecaf.selection.uherding import herded_rows, uherding

SMALL = 5_000_000  # rows × centroids; below it, four restarts take a few seconds
FEW, MANY = 25.0, 50.0  # rows per class in a round: all herded, none herded
DRAWN = 100  # rows per class in one round from which `importance` selects


@strategy(
    description="Selects typical images, weighted by per-sample loss. "
    "With few images per class in a round, it works like uherding.",
    paper="Zhang et al. 2024, VeCAF, arXiv 2401.07853",
    optional=("losses", "probabilities", "labels"),
    sharded=True,
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
) -> StrategyResult:
    """Minimize Σ_i p_i·(ActiveFT's term of row i) over centroids, then select typical rows.

    With few rows per class, a greedy method is better: the share `herded_share` of the rows comes
    from uncertainty herding (`uherding`). The others come from centroids:

    1. Rows are projected on their leading `dimensions` principal components, where classes separate
       better, and scaled to unit length.
    2. Centroids start from weighted spherical k-means and take `steps` Adam steps
       (`centroids.optimize_centroids`). The best of `restarts` counts.
    3. Each centroid selects the row of its cluster with the greatest weighted density
       (`cluster_density.densest_rows`).

    The weights are p ∝ clip(loss, 5%, 95%)^gamma, mixed with the share `mix` of uniform weights;
    without `losses` they are uniform. Herded rows and those of earlier rounds are fixed centroids.

    If all labels are known and a round selects at least DRAWN rows per class, the model knows
    typical rows already and lacks hard ones. The strategy then hands over to `importance`; if all
    rows are herded, it hands over to `uherding`. The result says so. An explicit `gamma` or
    objective="released-code" prevents that; the other options only apply without a handover.

    Ranked by coverage. Scores: `loss_weight` (p_i·n, so 1 is average), `density` (mean similarity
    to the rows around it, 0 to 1), `coverage` (share of the pool whose nearest centroid it is),
    `similarity` (to its centroid).

    Parameters
    ----------
    pool, budget, rng
        As for every strategy; uses losses, probabilities and labels if they are given.
    gamma
        Exponent of the losses; "auto" uses `auto_gamma`.
    mix
        Share of uniform weights, 0 to 1.
    classes
        Number of classes, for `gamma="auto"` and `herded_share`. By default it is counted from
        `probabilities` or from complete `labels`; if unknown, gamma and the share are 0.
    objective
        "paper", or "released-code" for comparison: there the loss multiplies s_i inside the
        logarithm, as in the authors' program, so a high loss attracts less. Start and density stay
        weighted.
    steps, temperature, learning_rate
        Of the optimization.
    dimensions
        Principal components; 0 keeps all features.
    restarts
        4 by default, or 1 for a large pool, where 4 would take minutes.
    width
        Of the density kernel exp((cosine − 1) / width).

    References
    ----------
    Zhang et al. 2024, VeCAF, arXiv 2401.07853.
    """
    check_optimizer(steps, temperature, learning_rate)
    if restarts is None:
        restarts = 4 if len(pool) * (budget + len(pool.earlier)) <= SMALL else 1
    _check_options(gamma, mix, classes, objective, dimensions, restarts, width)
    classes = classes or _classes(pool)
    # With unknown labels, some losses are expected losses.
    known = pool.losses is not None and _all_known(pool)
    drawn = gamma == "auto" and objective == "paper" and known
    if drawn and classes and budget >= DRAWN * classes:
        return replace(importance(pool, budget, rng), strategy=importance.__name__)
    herds = gamma == "auto" and objective == "paper" and not known
    count = round(budget * herded_share(pool, budget, classes)) if herds else 0
    if count == budget:
        return replace(uherding(pool, budget, rng, dimensions=dimensions), strategy="uherding")
    earlier = len(pool.earlier)
    power = auto_gamma(budget + earlier, classes, earlier) if gamma == "auto" else float(gamma)
    weights = loss_weights(pool.losses, power, mix, len(pool))
    released = objective == "released-code" and pool.losses is not None
    rows = principal_space(pool.loaded, dimensions)
    herded = herded_rows(pool, rows, count)
    pool = replace(pool, earlier=np.concatenate((pool.earlier, herded)))
    fixed = read_rows(rows, pool.earlier)
    left = budget - count  # for the centroids

    def optimized() -> OptimizedCentroids:
        return optimize_centroids(
            rows,
            lloyd(rows, seed_centers(rows, pool, left, rng), fixed, 20, weights),
            fixed=fixed,
            weights=None if released else weights,
            gains=_clipped(pool.losses) if released and pool.losses is not None else None,
            steps=steps,
            temperature=temperature,
            learning_rate=learning_rate,
        )

    tries = [optimized() for _ in range(restarts)]
    moved = min(tries, key=lambda found: found.losses[-1:].sum()).centroids
    centroids = np.concatenate((moved, fixed))
    similarity, assigned = nearest(rows, centroids)
    selected, density = densest_rows(
        rows, similarity, assigned, moved, pool.available(), weights, width
    )
    # Each herded row is its own centroid. These are the last of the fixed centroids.
    own = np.r_[:left, len(centroids) - count : len(centroids)]
    around = np.exp((similarity - 1) / np.float32(width)) * weights
    mass, near, counts = (
        np.bincount(assigned, weights=each, minlength=len(centroids))[own]
        for each in (weights, around, None)
    )
    selected = np.concatenate((selected, herded))
    density = np.concatenate((density, (near / np.maximum(mass, 1e-30))[left:]))
    scores = {
        "loss_weight": weights[selected] * len(pool),
        "density": density,
        "coverage": counts / len(pool),
        "similarity": np.einsum("ij,ij->i", read_rows(rows, selected), centroids[own]),
    }
    rank = np.argsort(-counts, kind="stable")
    return StrategyResult(
        selected[rank], {name: each[rank].astype(np.float32) for name, each in scores.items()}
    )


def herded_share(pool: Pool, budget: int, classes: int | None) -> float:
    """Return the share of a round's rows that uncertainty herding selects, 0 to 1.

    With r rows per class it is 1 up to r = FEW and 0 from r = MANY, linear in log r. On CIFAR-10,
    herding is better up to 25 rows per class, and both are level at 50 and 100. It is 0 if the
    number of classes is unknown, and in later rounds without losses.
    """
    if not classes or (len(pool.earlier) and pool.losses is None):
        return 0.0
    return float(np.clip(np.log(budget / classes / MANY) / np.log(FEW / MANY), 0, 1))


def auto_gamma(selected: int, classes: int | None, earlier: int = 0) -> float:
    """Return γ = ½·log10(r / 100) for r selected rows per class, from −½ to ½.

    With few rows per class, a model must first learn what is typical, so easy images get more
    weight (γ < 0). With hundreds, hard images are left to learn (γ > 0). In later rounds γ is 1, as
    in the paper: the losses come from a model that was fitted to earlier rows, so images with a low
    loss are covered already (benchmarks/README.md compares other exponents). The rule uses no
    label, only counts.

    Parameters
    ----------
    selected
        Selected rows of all rounds, this one included.
    classes
        Number of classes; γ is 0 for None.
    earlier
        Selected rows of earlier rounds.
    """
    if classes is None:
        return 0.0
    if earlier:
        return 1.0
    return float(np.clip(0.5 * np.log10(selected / classes / 100), -0.5, 0.5))


def _all_known(pool: Pool) -> bool:
    return pool.labels is not None and bool((pool.labels >= 0).all())


def _classes(pool: Pool) -> int | None:
    """Return the number of classes, if predictions or a fully labeled pool show it."""
    if pool.probabilities is not None:
        return int(pool.probabilities.shape[1])
    return int(pool.labels.max()) + 1 if pool.labels is not None and _all_known(pool) else None


def loss_weights(losses: Floats | None, gamma: float, mix: float, n: int) -> Floats:
    """Compute p = (1 − mix)·clip(loss, 5%, 95%)^γ / Σ + mix / n, float32 of shape (n,).

    Raises
    ------
    InputError
        For a negative loss.
    """
    uniform = np.full(n, 1 / n, dtype=np.float32)
    if losses is None or gamma == 0:
        return uniform
    clipped = _clipped(losses)
    with np.errstate(over="ignore"):
        p = np.power(clipped, np.float32(gamma))
        finite = 0 < p.sum() < np.inf
    if not finite:  # the power of a tiny loss is 0 or infinite in float32
        p = np.power(clipped / clipped.max(), np.float32(gamma))
    mixed: Floats = (1 - np.float32(mix)) * (p / p.sum()) + np.float32(mix) * uniform
    return mixed


def _clipped(losses: Floats) -> Floats:
    """Clip losses to their 5% and 95% quantiles, and to at least a thousandth of the latter."""
    if losses.min() < 0:
        raise InputError("losses contains a negative number, but cross-entropy is never negative.")
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
            raise InputError(f"gamma is '{gamma}'. Use 'auto' or a number.")
    else:
        check_power("gamma", gamma)
    if not 0 <= check_number("mix", mix) <= 1:
        raise InputError(f"mix is {mix}. Use a number from 0 to 1.")
    if objective not in get_args(Objective):
        raise InputError(
            f"objective is '{objective}'. Use {' or '.join(map(repr, get_args(Objective)))}."
        )
    check_number("width", width, above=0.0, usual=0.1)
    for name, value, least in (
        ("classes", 1 if classes is None else classes, 1),
        ("dimensions", dimensions, 0),
        ("restarts", restarts, 1),
    ):
        if not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{name} is {value!r}. Use a whole number, at least {least}.")
