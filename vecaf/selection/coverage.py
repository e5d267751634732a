"""Greedy generalised coverage: what MaxHerding and Uncertainty Herding maximise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecaf.selection.centroids import nearest
from vecaf.selection.pool import Floats, Ids

_BLOCK = 64  # candidates whose gains are computed at once


def kernel_of(cosine: Floats, width: float) -> Floats:
    """exp(−‖x − x'‖²/width²) of unit rows, from their cosines."""
    value: Floats = np.exp((cosine - 1) * np.float32(2 / width**2))
    return value


def greedy_coverage(
    rows: Floats,
    weights: Floats,
    chosen: Ids,
    free: npt.NDArray[np.bool_],
    budget: int,
    width: float,
) -> tuple[Ids, Floats]:
    """Add rows one by one, each time the one that raises the coverage most.

    The coverage of a set S is Σ_i w_i·max_{j in S} k(x_i, x_j) / Σ_i w_i, over the first m rows (in
    canonical order they are a random sample), with k of `kernel_of`.

    rows     float32 (n, d), unit rows
    weights  w, float32 (m,), 0 or more, m ≤ n: one for each of the first m rows
    chosen   int64 (c,), rows that are in S from the start
    free     bool (n,), rows that may be added; at least `budget`

    Coverage is submodular: a row's gain only ever falls. So old gains are upper bounds, and only
    rows whose bound beats the best fresh gain are looked at again (Minoux 1978, lazy greedy); the
    picks are those of the plain greedy algorithm. No n × m array is held. Returns the picks
    int64 (budget,) in the order they were added, and their gains float32 (budget,).
    """
    import torch

    m = len(weights)
    features = torch.from_numpy(rows)
    witnesses = features[:m].T.contiguous()
    total = float(weights.sum(dtype=np.float64))
    share = torch.from_numpy(weights / np.float32(total if total > 0 else 1))
    covered = torch.zeros(m)
    if len(chosen):
        covered = torch.from_numpy(kernel_of(nearest(rows[:m], rows[chosen])[0], width))

    def kernel(where: Ids) -> torch.Tensor:
        cosine = features[torch.from_numpy(where)] @ witnesses
        return cosine.sub_(1).mul_(2 / width**2).exp_()

    def gains(where: Ids) -> Floats:
        found: Floats = (kernel(where).sub_(covered).clamp_min_(0) @ share).numpy()
        return found

    bound = np.full(len(rows), -np.inf, dtype=np.float32)
    start = np.flatnonzero(free)
    for block in range(0, len(start), 8 * _BLOCK):
        part = start[block : block + 8 * _BLOCK]
        bound[part] = gains(part)
    picked = np.empty(budget, dtype=np.int64)
    gained = np.empty(budget, dtype=np.float32)
    for rank in range(budget):
        fresh = np.zeros(len(rows), dtype=bool)
        best, gain = -1, np.float32(-np.inf)
        while True:
            stale = np.flatnonzero((bound > gain) & ~fresh)
            if not len(stale):
                break
            if len(stale) > _BLOCK:
                stale = stale[np.argpartition(-bound[stale], _BLOCK)[:_BLOCK]]
            bound[stale] = gains(stale)
            fresh[stale] = True
            top = int(stale[bound[stale].argmax()])
            if bound[top] > gain:
                best, gain = top, bound[top]
        picked[rank], gained[rank] = best, gain
        bound[best] = -np.inf
        covered = torch.maximum(covered, kernel(picked[rank : rank + 1])[0])
    return picked, gained
