"""CCS: coverage-centric coreset selection, every difficulty but the hardest in equal measure."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.option_checks import check_share, check_whole
from vecaf.selection.strategies import LABELS_KNOWN, Picks, strategy
from vecaf.selection.strategy_pool import Pool


@strategy(
    description="Drops the hardest images, takes every level of loss alike.",
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
) -> Picks:
    """Stratified sampling over the losses, without the hardest rows.

    1. The share `hardest` (β) of the available rows with the highest losses is left out: they are
       often mislabelled, and a small subset cannot afford them.
    2. The range of the remaining losses is cut into `strata` equally wide strata.
    3. The budget is shared out equally; a stratum with fewer rows gives all it has, and the others
       share the rest. Within a stratum rows are drawn at random.

    Labels-known track only: `losses` must be the true ones, of every row's own label. The paper's
    difficulty is the area under the margin over a whole training on all labels (AUM); ours is the
    cross-entropy of the model of the round before, which costs nothing more.

    hardest  β; "auto" follows `auto_hardest`. It gives way where the budget needs the rows
    strata   50, as in the authors' program

    Ranked at random: any first part of the picks is spread over the strata, too. Scores: `loss`,
    and `stratum` (0, the easiest, to strata − 1). Cost: one sort.
    """
    check_whole("strata", strata, 1)
    losses = pool.losses
    assert losses is not None  # `check_request` has seen to it
    free = np.flatnonzero(pool.available())
    if hardest == "auto":
        beta = auto_hardest(budget / len(free))
    elif isinstance(hardest, str):
        raise InputError(f"hardest is '{hardest}'; use 'auto' or a number from 0 to 1.")
    else:
        beta = check_share("hardest", hardest)
    kept = max(budget, len(free) - int(beta * len(free)))
    rows = free[np.argsort(losses[free], kind="stable")[:kept]]
    stratum = levels(losses[rows], strata)
    shares = even_shares(budget, np.bincount(stratum, minlength=strata))
    order = np.argsort(rows)  # canonical order is a random one
    rows, stratum = rows[order], stratum[order]
    picked = np.concatenate(
        [np.flatnonzero(stratum == level)[:count] for level, count in enumerate(shares)]
    )
    picked.sort()
    return rows[picked], {
        "loss": losses[rows[picked]],
        "stratum": stratum[picked].astype(np.float32),
    }


def auto_hardest(share: float) -> float:
    """β for a subset of `share` of the pool: 0 for a half or more, 0.1 at 30% and 20%, 0.3 at 10%.

    The paper's values for CIFAR-10 (its table of hyperparameters for AUM), with straight lines
    between them; 0.3 below 10%, where it says nothing.
    """
    return float(np.interp(share, (0.1, 0.2, 0.3, 0.5), (0.3, 0.1, 0.1, 0.0)))


def levels(losses: Floats, strata: int) -> Ids:
    """Which of `strata` equally wide parts of their range each loss lies in: int64 (n,)."""
    low, high = float(losses.min()), float(losses.max())
    if high <= low:
        return np.zeros(len(losses), dtype=np.int64)
    scaled = (losses.astype(np.float64) - low) / (high - low) * strata
    return np.minimum(scaled.astype(np.int64), strata - 1)


def even_shares(budget: int, sizes: Ids) -> Ids:
    """`budget` in equal parts over strata of `sizes` rows, none above its size: int64 (strata,).

    The smallest strata are served first, so that what they cannot give goes to the larger ones.
    """
    shares = np.zeros(len(sizes), dtype=np.int64)
    left = budget
    for done, index in enumerate(np.argsort(sizes, kind="stable")):
        shares[index] = min(int(sizes[index]), left // (len(sizes) - done))
        left -= int(shares[index])
    return shares
