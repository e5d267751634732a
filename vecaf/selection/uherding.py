"""Uncertainty Herding: cover what the model is unsure about, ever more closely."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.coverage import greedy_coverage, sample_sizes
from vecaf.selection.option_checks import check_number, check_whole
from vecaf.selection.space import principal_space
from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool
from vecaf.selection.uncertainty import checked_probabilities, closeness

NARROWEST = 0.05  # a pair of near twins must not turn coverage into plain uncertainty sampling


@strategy(
    description="Covers what the model is unsure about; without a model, as maxherding.",
    paper="Bae et al. 2025, Uncertainty Herding (ICLR), arXiv 2412.20644",
    optional=("probabilities",),
)
def uherding(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    width: float | str = "auto",
    temperature: float = 1.0,
    witnesses: int | None = None,
    candidates: int | None = None,
    dimensions: int = 128,
) -> Picks:
    """Greedy maximisation of Σ_i u_i·max_{j in S} exp(−‖x_i − x_j‖²/σ²) over S.

    u_i = 1 − (p1 − p2), the closeness of the two best guesses, and 0 for rows chosen earlier;
    without `probabilities` (a first round, before there is a model) it is 1, as in the authors'
    program: MaxHerding. Both tracks: it reads predictions, no label. Rows chosen earlier are in S.

    width        σ; "auto" is the paper's radius adaptation: the smallest distance between two rows
                 chosen earlier (at least 0.05), so that it shrinks as labels come in and coverage
                 turns into uncertainty; 1 where fewer than two are there
    temperature  divides the logits before u is computed. The paper fits it on labels held out;
                 no label reaches this function, so a caller who has them can pass what it found
    witnesses, candidates, dimensions  as in maxherding

    Ranked in the order of picking; `gain` is what a pick added to the weighted coverage (0 to 1),
    `uncertainty` its u. Cost: as maxherding.
    """
    check_number("temperature", temperature, above=0.0, usual=1.0)
    rows = principal_space(pool.features, check_whole("dimensions", dimensions, 0))
    if width == "auto":
        sigma = radius(rows[pool.chosen])
    elif isinstance(width, str):
        raise InputError(f"width is '{width}'; use 'auto' or a number above 0.")
    else:
        sigma = check_number("width", width, above=0.0, usual=1.0)
    unsure = np.ones(len(pool), dtype=np.float32)
    if pool.probabilities is not None:
        unsure = closeness(tempered(checked_probabilities(pool), temperature))
        unsure[pool.chosen] = 0
    free = np.flatnonzero(pool.available())
    seen, offered = sample_sizes(len(pool), budget, witnesses, candidates)
    picked, gain = greedy_coverage(rows, unsure[:seen], pool.chosen, free[:offered], budget, sigma)
    return picked, {"gain": gain, "uncertainty": unsure[picked]}


def tempered(p: Floats, temperature: float) -> Floats:
    """Probabilities (n, classes) after their logits were divided by `temperature`."""
    if temperature == 1:
        return p
    logits = np.log(np.maximum(p, np.float32(1e-30))) / np.float32(temperature)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: Floats = raised / raised.sum(axis=1, keepdims=True)
    return scaled


def radius(rows: Floats) -> float:
    """The smallest distance above 0 between two of `rows` (c, d), at least 0.05; 1 if c < 2."""
    closest = -1.0
    indices: Ids = np.arange(len(rows))
    for start in range(0, len(rows), 1024):
        cosine = rows[start : start + 1024] @ rows.T
        apart = (cosine < 1 - 1e-6) & (indices[start : start + 1024, None] != indices)
        closest = max(closest, float(cosine.max(where=apart, initial=-1.0)))
    if len(rows) < 2 or closest <= -1:
        return 1.0
    return max(NARROWEST, float(np.sqrt(2 - 2 * closest)))
