"""Greedy generalized coverage, the objective of MaxHerding and Uncertainty Herding."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.selection.assignment import nearest
from vecaf.selection.option_checks import check_whole
from vecaf.selection.stored_rows import LoadedRows, read_rows

_CHUNK_VALUES = 2**21  # kernel values in memory: 8 MiB, the size of two cores' caches


def sample_sizes(
    n: int, budget: int, references: int | None, candidates: int | None
) -> tuple[int, int]:
    """Return the number of reference rows and of candidate rows in a pool of `n` rows.

    By default, the coverage is measured on max(10,000, 4·budget) reference rows, and
    max(20,000, 10·budget) candidates may be selected; both at most n.
    """
    seen = (
        max(10_000, 4 * budget) if references is None else check_whole("references", references, 1)
    )
    least = max(20_000, 10 * budget)
    offered = least if candidates is None else check_whole("candidates", candidates, 1)
    return min(n, seen), min(n, max(budget, offered))


def greedy_coverage(
    rows: LoadedRows, weights: Floats, earlier: Ids, candidates: Ids, budget: int, width: float
) -> tuple[Ids, Floats]:
    """Select rows one by one, each the one that increases the coverage most.

    The coverage of a set S is Σ_i w_i·max_{j in S} k(x_i, x_j) / Σ_i w_i over the reference rows i,
    with k(x, x') = exp(−‖x − x'‖² / width²).

    A selected row changes the gains only through references that it covers better than before,
    about m/t at the t-th row. All rows together therefore cost about ln(budget) + 1 passes over
    candidates × references kernel values, of which one chunk is in memory at a time.

    Parameters
    ----------
    rows
        Unit rows, shape (n, d).
    weights
        w ≥ 0, shape (m,): the first m rows are the references.
    earlier
        Rows that are in S from the start, shape (c,).
    candidates
        Rows that may be selected, shape (at least budget,).
    budget
        Number of rows to select.
    width
        Of the Gaussian kernel.

    Returns
    -------
    selected : int64 array of shape (budget,)
        In the order of selection.
    gains : float32 array of shape (budget,)
    """
    import torch

    offered = torch.from_numpy(read_rows(rows, candidates))
    seen = np.flatnonzero(weights > 0)
    references = torch.from_numpy(read_rows(rows, seen))
    share = torch.from_numpy(weights[seen] / max(float(weights.sum(dtype=np.float64)), 1e-30))
    share = share.float()
    scale = 2 / width**2
    step = max(16, _CHUNK_VALUES // len(offered))

    def filled(where: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        """Return Σ_i share_i·(clip(k(candidate, i), low_i, high_i) − low_i) by candidate."""
        total = torch.zeros(len(offered), dtype=torch.float64)
        for start in range(0, len(where), step):
            part = slice(start, start + step)
            kernel = (offered @ references[where[part]].T).sub_(1).mul_(scale).exp_()
            torch.minimum(torch.maximum(kernel, low[part], out=kernel), high[part], out=kernel)
            total += kernel.sub_(low[part]) @ share[where[part]]
        return total

    covered = torch.zeros(len(seen))
    if len(earlier) and len(seen):
        similarity, _ = nearest(references.numpy(), read_rows(rows, earlier))
        covered = torch.from_numpy(similarity).sub_(1).mul_(scale).exp_()
    gains = filled(torch.arange(len(seen)), covered, torch.full_like(covered, torch.inf)).numpy()
    selected = np.empty(budget, dtype=np.int64)
    gained = np.empty(budget, dtype=np.float32)
    for rank in range(budget):
        best = int(gains.argmax())
        selected[rank], gained[rank] = candidates[best], max(gains[best], 0.0)
        level = (references @ offered[best]).sub_(1).mul_(scale).exp_()
        better = torch.nonzero(level > covered)[:, 0]
        gains -= filled(better, covered[better], level[better]).numpy()
        covered[better] = level[better]
        gains[best] = -np.inf
    return selected, gained
