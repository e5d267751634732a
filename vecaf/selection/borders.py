"""BiLAF's second level: pseudo-classes without their noise, and the rows at their borders."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids

Mask = npt.NDArray[np.bool_]

_BLOCK_SCORES = 2**22  # similarities made at once: 16 MiB
_FARTHEST = 1e6  # what penalties may add up to, so that scores stay numbers


def denoised(rows: Floats, core: int, neighbours: int, noise: float, absorb: float) -> Mask:
    """Which of a pseudo-class's `rows` (m, d) lie densely about its core: bool (m,).

    Starting from the row `core`, the share `absorb` of the rows that are nearest to those inside
    (mean over the `neighbours` nearest) joins at a time, until all but the share `noise` are in.
    """
    import torch

    m = len(rows)
    target = m - int(noise * m)
    features = torch.from_numpy(rows)
    closest = torch.full((m, neighbours), -torch.inf)  # the similarities to rows inside
    inside = np.zeros(m, dtype=bool)
    inside[core] = True
    joined = np.array([core])
    while (held := int(inside.sum())) < target:
        outside = np.flatnonzero(~inside)
        new = features[torch.from_numpy(joined)].T.contiguous()
        step = max(16, _BLOCK_SCORES // len(joined))
        for start in range(0, len(outside), step):
            part = torch.from_numpy(outside[start : start + step])
            both = torch.cat((closest[part], features[part] @ new), dim=1)
            closest[part] = both.topk(neighbours, dim=1).values
        seen = min(neighbours, held)
        near = closest[torch.from_numpy(outside)][:, :seen].mean(dim=1).numpy()
        count = min(target - held, max(1, int(np.ceil(absorb * m))))
        joined = outside[np.argsort(-near, kind="stable")[:count]]
        inside[joined] = True
    return inside


def border_scores(distance: Floats, own: int, scale: npt.NDArray[Any] | None = None) -> Floats:
    """(b − a) / max(a, b) of each row: float32 (m,), −1 to 1, low at a border.

    distance  (m, classes), mean distance of each row to each pseudo-class; column `own` is a, and
              b is the least of the others (2, the largest, where there is none)
    scale     (classes,), what the others' distances are multiplied by; None is 1
    """
    within = distance[:, own]
    across, _ = _across(distance, own, scale)
    score: Floats = (across - within) / np.maximum(np.maximum(across, within), np.float32(1e-12))
    return score.astype(np.float32)


def border_rows(
    rows: Floats,
    distance: Floats,
    own: int,
    kept: Mask,
    free: Mask,
    count: int,
    neighbours: int,
    penalty: float,
) -> Ids:
    """`count` of a pseudo-class's free rows, one at a time the one of the lowest border score.

    rows (m, d) and distance (m, classes) as above; `kept` bool (m,) are those that `denoised` left,
    `free` bool (m,) those that may be picked, at least `count`. The `neighbours` nearest rows of a
    pick are set aside, and the class across its border counts as `penalty` times farther. Where no
    row is left, those set aside come back, and then the noise. Returns int64 (count,).
    """
    scale = np.ones(distance.shape[1])
    left = free.copy()
    candidates = free & kept
    picked = np.empty(count, dtype=np.int64)
    for rank in range(count):
        if not candidates.any():
            candidates = left & kept if (left & kept).any() else left.copy()
        _, opponent = _across(distance, own, scale)
        score = border_scores(distance, own, scale)
        pick = int(np.where(candidates, score, np.inf).argmin())
        picked[rank] = pick
        near = rows @ rows[pick]
        aside = np.argsort(-near, kind="stable")[: neighbours + 1]
        candidates[aside] = False
        candidates[pick] = left[pick] = False
        scale[opponent[pick]] = min(scale[opponent[pick]] * penalty, _FARTHEST)
    return picked


def proportional_shares(total: int, sizes: Ids, limits: Ids) -> Ids:
    """`total` in proportion to `sizes` (k,), none above its limit: int64 (k,).

    Largest remainders are rounded up. What a class cannot give is shared among the others.
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
    """Distance to, and index of, the nearest other pseudo-class of each row: (m,) and (m,)."""
    others = distance * scale if scale is not None else distance.copy()
    others[:, own] = np.inf
    opponent = others.argmin(axis=1)
    nearest = others[np.arange(len(others)), opponent]
    return np.where(np.isfinite(nearest), nearest, 2), opponent
