"""The second level of BiLAF: pseudo-classes without noise, and the rows at their boundaries."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids

Mask = npt.NDArray[np.bool_]

_CHUNK_SCORES = 2**22  # similarities in memory: 16 MiB
_FARTHEST = 1e6  # limit of the accumulated penalty; scores stay finite


def denoise(rows: Floats, core: int, neighbors: int, noise: float, absorb: float) -> Mask:
    """Return which rows of a pseudo-class lie close to its core.

    Starting from the core, the share `absorb` of all rows joins at a time: those with the greatest
    mean similarity to their nearest rows inside. The last share `noise` stays outside.

    Parameters
    ----------
    rows
        Unit rows of the pseudo-class, shape (m, d).
    core
        Row of the core.
    neighbors
        Number of nearest rows inside that count.
    noise, absorb
        Shares of the rows, 0 to 1.

    Returns
    -------
    bool array of shape (m,)
    """
    import torch

    m = len(rows)
    target = m - int(noise * m)
    features = torch.from_numpy(rows)
    closest = torch.full((m, neighbors), -torch.inf)  # similarities to rows inside
    inside = np.zeros(m, dtype=bool)
    inside[core] = True
    joined = np.array([core])
    while (held := int(inside.sum())) < target:
        outside = np.flatnonzero(~inside)
        new = features[torch.from_numpy(joined)].T.contiguous()
        step = max(16, _CHUNK_SCORES // len(joined))
        for start in range(0, len(outside), step):
            part = torch.from_numpy(outside[start : start + step])
            both = torch.cat((closest[part], features[part] @ new), dim=1)
            closest[part] = both.topk(neighbors, dim=1).values
        seen = min(neighbors, held)
        near = closest[torch.from_numpy(outside)][:, :seen].mean(dim=1).numpy()
        count = min(target - held, max(1, int(np.ceil(absorb * m))))
        joined = outside[np.argsort(-near, kind="stable")[:count]]
        inside[joined] = True
    return inside


def boundary_scores(distance: Floats, own: int, scale: npt.NDArray[Any] | None = None) -> Floats:
    """Compute (b − a) / max(a, b) of each row; low at a boundary.

    Parameters
    ----------
    distance
        Mean distance of each row to each pseudo-class, shape (m, classes).
    own
        The rows' own pseudo-class: its column is a; b is the smallest of the others, or 2, the
        largest possible distance, if there is no other.
    scale
        Factors of the distances to the other classes, shape (classes,); 1 by default.

    Returns
    -------
    float32 array of shape (m,)
        −1 to 1.
    """
    within = distance[:, own]
    across, _ = _across(distance, own, scale)
    score: Floats = (across - within) / np.maximum(np.maximum(across, within), np.float32(1e-12))
    return score.astype(np.float32)


def boundary_rows(
    rows: Floats,
    distance: Floats,
    own: int,
    kept: Mask,
    free: Mask,
    count: int,
    neighbors: int,
    penalty: float,
) -> Ids:
    """Select rows of a pseudo-class one by one, each with the lowest boundary score.

    The `neighbors` nearest rows of a selected row are skipped, and the class across its boundary
    counts as `penalty` times farther. If no row is left, skipped rows come back, then noise.

    Parameters
    ----------
    rows
        Unit rows of the pseudo-class, shape (m, d).
    distance, own
        As in `boundary_scores`.
    kept
        Rows that are not noise, bool of shape (m,).
    free
        Rows that may be selected, bool of shape (m,); at least `count`.
    count
        Number of rows to select.
    neighbors, penalty
        As above.

    Returns
    -------
    int64 array of shape (count,)
    """
    scale = np.ones(distance.shape[1])
    left = free.copy()
    candidates = free & kept
    selected = np.empty(count, dtype=np.int64)
    for rank in range(count):
        if not candidates.any():
            candidates = left & kept if (left & kept).any() else left.copy()
        _, opponent = _across(distance, own, scale)
        score = boundary_scores(distance, own, scale)
        best = int(np.where(candidates, score, np.inf).argmin())
        selected[rank] = best
        near = rows @ rows[best]
        aside = np.argsort(-near, kind="stable")[: neighbors + 1]
        candidates[aside] = False
        candidates[best] = left[best] = False
        scale[opponent[best]] = min(scale[opponent[best]] * penalty, _FARTHEST)
    return selected


def proportional_shares(total: int, sizes: Ids, limits: Ids) -> Ids:
    """Divide `total` in proportion to sizes, within limits.

    Remainders are rounded up from the largest. What exceeds a limit goes to the other classes.

    Parameters
    ----------
    total
        At most the sum of the limits.
    sizes, limits
        Of each class, shape (k,).

    Returns
    -------
    int64 array of shape (k,)
    """
    shares = np.zeros(len(sizes), dtype=np.int64)
    while (left := total - int(shares.sum())) > 0:
        weight = np.where(shares < limits, sizes, 0)
        exact = left * weight / weight.sum()
        added = np.floor(exact).astype(np.int64)
        rest = np.argsort(-(exact - added), kind="stable")[: left - int(added.sum())]
        added[rest] += 1
        shares = np.minimum(shares + added, limits)
    return shares


def _across(
    distance: Floats, own: int, scale: npt.NDArray[Any] | None
) -> tuple[npt.NDArray[Any], Ids]:
    """Return distance and index of the nearest other pseudo-class of each row, shape (m,) each."""
    others = distance * scale if scale is not None else distance.copy()
    others[:, own] = np.inf
    opponent = others.argmin(axis=1)
    nearest = others[np.arange(len(others)), opponent]
    return np.where(np.isfinite(nearest), nearest, 2), opponent
