"""CCS: coverage-centric coreset selection over all levels of difficulty except the hardest."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.option_checks import check_share, check_whole
from vecaf.selection.strategies import LABELS_KNOWN, StrategyResult, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Skips the hardest images, then samples evenly across loss levels.",
    paper="Zheng et al. 2023, CCS (ICLR), arXiv 2210.15809",
    tracks=(LABELS_KNOWN,),
    required=("losses",),
)
def ccs(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    hardest: float | str = "auto",
    strata: int = 50,
) -> StrategyResult:
    """Draw a stratified sample over the losses, without the hardest rows.

    1. The share `hardest` (β) of the rows with the highest losses is left out: they are often
       mislabeled, and a small subset is harmed most by them.
    2. The range of the remaining losses is divided into `strata` of equal width.
    3. The budget is divided equally. A stratum with too few rows gives all of them, and the others
       share the rest. Rows of a stratum are drawn at random.

    The paper measures difficulty by the area under the margin (AUM) over a training on all labels.
    Here it is the cross-entropy of the current model, which costs nothing extra. Ranked at random,
    so the first rows of the result are stratified, too. Scores: `loss`, and `stratum` from 0, the
    easiest.

    Parameters
    ----------
    pool, budget, rng
        As for every strategy; `losses` must come from the true label of every row.
    hardest
        β, 0 to 1; "auto" uses `auto_hardest`. It is reduced if the budget needs more rows.
    strata
        Number of strata; 50 as in the authors' program.

    References
    ----------
    Zheng et al. 2023, Coverage-centric Coreset Selection for High Pruning Rates, arXiv 2210.15809.
    """
    check_whole("strata", strata, 1)
    losses = pool.losses
    assert losses is not None  # `check_request` ensures it
    free = np.flatnonzero(pool.available())
    if hardest == "auto":
        beta = auto_hardest(budget / len(free))
    elif isinstance(hardest, str):
        raise InputError(f"hardest is '{hardest}'. Use 'auto' or a number from 0 to 1.")
    else:
        beta = check_share("hardest", hardest)
    kept = max(budget, len(free) - int(beta * len(free)))
    rows = free[np.argsort(losses[free], kind="stable")[:kept]]
    stratum = levels(losses[rows], strata)
    shares = even_shares(budget, np.bincount(stratum, minlength=strata))
    order = np.argsort(rows)  # the canonical order is random
    rows, stratum = rows[order], stratum[order]
    selected = np.concatenate(
        [np.flatnonzero(stratum == level)[:count] for level, count in enumerate(shares)]
    )
    selected.sort()
    return StrategyResult(
        rows[selected],
        {
            "loss": losses[rows[selected]],
            "stratum": stratum[selected].astype(np.float32),
        },
    )


def auto_hardest(share: float) -> float:
    """Return β for a subset of `share` of the pool.

    The paper's values for CIFAR-10, interpolated linearly: 0 from 50% on, 0.1 at 30% and 20%, 0.3
    at 10% and below.
    """
    return float(np.interp(share, (0.1, 0.2, 0.3, 0.5), (0.3, 0.1, 0.1, 0.0)))


def levels(losses: Floats, strata: int) -> Ids:
    """Return the stratum of each loss: `strata` of equal width over their range, shape (n,)."""
    low, high = float(losses.min()), float(losses.max())
    if high <= low:
        return np.zeros(len(losses), dtype=np.int64)
    scaled = (losses.astype(np.float64) - low) / (high - low) * strata
    return np.minimum(scaled.astype(np.int64), strata - 1)


def even_shares(budget: int, sizes: Ids) -> Ids:
    """Divide `budget` equally over strata, at most the size of each: int64 array of shape
    (strata,).

    The smallest strata come first, so what they can't give goes to larger ones.
    """
    shares = np.zeros(len(sizes), dtype=np.int64)
    left = budget
    for done, index in enumerate(np.argsort(sizes, kind="stable")):
        shares[index] = min(int(sizes[index]), left // (len(sizes) - done))
        left -= int(shares[index])
    return shares
