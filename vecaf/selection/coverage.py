"""Greedy generalised coverage: what MaxHerding and Uncertainty Herding maximise."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.selection.assignment import nearest
from vecaf.selection.option_checks import check_whole

_BLOCK_VALUES = 2**21  # kernel values made at once: 8 MiB, about what two cores' caches hold


def sample_sizes(
    n: int, budget: int, witnesses: int | None, candidates: int | None
) -> tuple[int, int]:
    """How many rows of a pool of n the coverage is measured on, and how many may be picked from.

    By default max(10,000, 4·budget) and max(20,000, 10·budget), at most n.
    """
    seen = max(10_000, 4 * budget) if witnesses is None else check_whole("witnesses", witnesses, 1)
    least = max(20_000, 10 * budget)
    offered = least if candidates is None else check_whole("candidates", candidates, 1)
    return min(n, seen), min(n, max(budget, offered))


def greedy_coverage(
    rows: Floats, weights: Floats, chosen: Ids, candidates: Ids, budget: int, width: float
) -> tuple[Ids, Floats]:
    """Add rows one by one, each time the one that raises the coverage most.

    The coverage of a set S is Σ_i w_i·max_{j in S} k(x_i, x_j) / Σ_i w_i over the witnesses i, with
    k(x, x') = exp(−‖x − x'‖²/width²).

    rows        float32 (n, d), unit rows
    weights     w, float32 (m,), 0 or more, m ≤ n: the first m rows are the witnesses
    chosen      int64 (c,), rows that are in S from the start
    candidates  int64 (≥ budget,), rows that may be added

    All gains are kept up to date: only the witnesses that a pick covers better than before change
    them, about m/t at the t-th pick, so that all picks together cost about ln(budget) + 1 passes
    over candidates × witnesses kernel values, of which one block is held at a time. Returns the
    picks int64 (budget,) in the order they were added and their gains float32 (budget,).
    """
    import torch

    offered = torch.from_numpy(rows[candidates])
    seen = np.flatnonzero(weights > 0)
    witnesses = torch.from_numpy(rows[seen])
    share = torch.from_numpy(weights[seen] / max(float(weights.sum(dtype=np.float64)), 1e-30))
    share = share.float()
    scale = 2 / width**2
    step = max(16, _BLOCK_VALUES // len(offered))

    def filled(where: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        """Σ_i share_i·(k(candidate, i) held within low_i … high_i, less low_i), (candidates,)."""
        total = torch.zeros(len(offered), dtype=torch.float64)
        for start in range(0, len(where), step):
            part = slice(start, start + step)
            kernel = (offered @ witnesses[where[part]].T).sub_(1).mul_(scale).exp_()
            torch.minimum(torch.maximum(kernel, low[part], out=kernel), high[part], out=kernel)
            total += kernel.sub_(low[part]) @ share[where[part]]
        return total

    covered = torch.zeros(len(seen))
    if len(chosen) and len(seen):
        similarity, _ = nearest(rows[seen], rows[chosen])
        covered = torch.from_numpy(similarity).sub_(1).mul_(scale).exp_()
    gains = filled(torch.arange(len(seen)), covered, torch.full_like(covered, torch.inf)).numpy()
    picked = np.empty(budget, dtype=np.int64)
    gained = np.empty(budget, dtype=np.float32)
    for rank in range(budget):
        best = int(gains.argmax())
        picked[rank], gained[rank] = candidates[best], max(gains[best], 0.0)
        level = (witnesses @ offered[best]).sub_(1).mul_(scale).exp_()
        better = torch.nonzero(level > covered)[:, 0]
        gains -= filled(better, covered[better], level[better]).numpy()
        covered[better] = level[better]
        gains[best] = -np.inf
    return picked, gained
