"""MaxHerding: greedily cover the pool with a smooth kernel instead of balls."""

from __future__ import annotations

import numpy as np

from vecaf.selection.coverage import greedy_coverage, sample_sizes
from vecaf.selection.option_checks import check_number, check_whole
from vecaf.selection.space import principal_space
from vecaf.selection.strategies import Picks, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Adds the image that covers most of what is not covered yet.",
    paper="Bae et al. 2024, Generalized Coverage (ECCV), arXiv 2407.12212",
)
def maxherding(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    width: float = 1.0,
    witnesses: int | None = None,
    candidates: int | None = None,
    dimensions: int = 128,
) -> Picks:
    """Greedy maximisation of mean_i max_{j in S} exp(−‖x_i − x_j‖²/`width`²) over S.

    Both tracks; it needs nothing but features. Rows chosen earlier are in S from the start.

    width       σ of the Gaussian kernel on unit rows; 1 is the paper's, found robust there
    witnesses   rows that the mean is taken over, a random sample where the pool is larger; by
                default 10,000 or four a pick, which leaves the mean an error of about 1%
    candidates  rows that may be picked, a random sample, too; by default 20,000 or ten a pick
    dimensions  leading principal components in which rows are compared (0: the features as they
                are): 128 are a tenth of the work of 1,280

    Ranked in the order of picking; `gain` is what a pick added to the coverage (0 to 1).
    Cost: about ln(budget) + 1 passes over candidates × witnesses kernel values.
    """
    check_number("width", width, above=0.0, usual=1.0)
    rows = principal_space(pool.features, check_whole("dimensions", dimensions, 0))
    free = np.flatnonzero(pool.available())
    seen, offered = sample_sizes(len(pool), budget, witnesses, candidates)
    weights = np.ones(seen, dtype=np.float32)
    picked, gain = greedy_coverage(rows, weights, pool.chosen, free[:offered], budget, width)
    return picked, {"gain": gain}
