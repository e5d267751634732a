"""Uncertainty Herding: coverage of uncertain images, with a kernel that narrows over the rounds."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids, softmax
from vecaf.errors import InputError
from vecaf.selection.coverage import greedy_coverage, sample_sizes
from vecaf.selection.option_checks import check_number, check_whole
from vecaf.selection.space import principal_space
from vecaf.selection.stored_rows import LoadedRows, read_rows
from vecaf.selection.strategies import StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool
from vecaf.selection.uncertainty import checked_probabilities, closeness

MIN_WIDTH = 0.05  # near-duplicates must not turn coverage into plain uncertainty sampling


@strategy(
    description="Covers the uncertain part of the pool; without a model, it works like maxherding.",
    paper="Bae et al. 2025, Uncertainty Herding (ICLR), arXiv 2412.20644",
    optional=("probabilities",),
    sharded=True,
)
def uherding(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    width: float | str = "auto",
    temperature: float = 1.0,
    references: int | None = None,
    candidates: int | None = None,
    dimensions: int = 128,
) -> StrategyResult:
    """Maximize Σ_i u_i·max_{j in S} exp(−‖x_i − x_j‖² / σ²) over S greedily.

    u_i = 1 − (p1 − p2) of the two greatest probabilities, and 0 for rows of earlier rounds, which
    are in S from the start. Without `probabilities`, in a first round, u is 1, as in the authors'
    program; that is MaxHerding. Ranked in the order of selection. Scores: `gain`, the weighted
    coverage that a row adds, and `uncertainty`, its u.

    Parameters
    ----------
    pool, budget, rng
        As for every strategy; uses predictions, but no labels.
    width
        σ. "auto" is the paper's radius adaptation: the smallest distance between two rows of
        earlier rounds, at least 0.05, or 1 with fewer than two. It shrinks over the rounds, so that
        coverage turns into uncertainty sampling.
    temperature
        Divides the logits before u is computed. The paper fits it on held-out labels, which this
        function doesn't have; pass a value that you fitted.
    references, candidates, dimensions
        As in `maxherding`.

    References
    ----------
    Bae et al. 2025, Uncertainty Herding, arXiv 2412.20644.
    """
    check_number("temperature", temperature, above=0.0, usual=1.0)
    rows = principal_space(pool.loaded, check_whole("dimensions", dimensions, 0))
    if width == "auto":
        sigma = radius(read_rows(rows, pool.earlier))
    elif isinstance(width, str):
        raise InputError(f"width is '{width}'. Use 'auto' or a number above 0.")
    else:
        sigma = check_number("width", width, above=0.0, usual=1.0)
    unsure = uncertainty(pool, temperature)
    free = np.flatnonzero(pool.available())
    seen, offered = sample_sizes(len(pool), budget, references, candidates)
    selected, gain = greedy_coverage(
        rows, unsure[:seen], pool.earlier, free[:offered], budget, sigma
    )
    return StrategyResult(selected, {"gain": gain, "uncertainty": unsure[selected]})


def herded_rows(pool: Pool, rows: LoadedRows, count: int) -> Ids:
    """Select `count` rows as `uherding` does with its defaults, from `rows` in any space (n, d)."""
    if not count:
        return np.empty(0, dtype=np.int64)
    free = np.flatnonzero(pool.available())
    seen, offered = sample_sizes(len(pool), count, None, None)
    sigma = radius(read_rows(rows, pool.earlier))
    return greedy_coverage(
        rows, uncertainty(pool)[:seen], pool.earlier, free[:offered], count, sigma
    )[0]


def uncertainty(pool: Pool, temperature: float = 1.0) -> Floats:
    """Return u (n,): 1 without probabilities; 0 for rows of earlier rounds if there are some."""
    if pool.probabilities is None:
        return np.ones(len(pool), dtype=np.float32)
    unsure = closeness(tempered(checked_probabilities(pool), temperature))
    unsure[pool.earlier] = 0
    return unsure


def tempered(p: Floats, temperature: float) -> Floats:
    """Return probabilities (n, classes) after dividing their logits by `temperature`."""
    if temperature == 1:
        return p
    return softmax(np.log(np.maximum(p, np.float32(1e-30))), temperature)


def radius(rows: Floats) -> float:
    """Return the smallest distance above 0 between two unit rows, at least 0.05; 1 for fewer than
    two.
    """
    closest = -1.0
    indices: Ids = np.arange(len(rows))
    for start in range(0, len(rows), 1024):
        cosine = rows[start : start + 1024] @ rows.T
        apart = (cosine < 1 - 1e-6) & (indices[start : start + 1024, None] != indices)
        closest = max(closest, float(cosine.max(where=apart, initial=-1.0)))
    if len(rows) < 2 or closest <= -1:
        return 1.0
    return max(MIN_WIDTH, float(np.sqrt(2 - 2 * closest)))
