"""How far each row's nearest neighbours are, within groups of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vecaf.arrays import Floats, Ids

_BLOCK_SCORES = 2**22  # similarities made at once: 16 MiB


def members(group: Ids, groups: int) -> Iterator[Ids]:
    """Positions of the rows of group 0, 1, … `groups` − 1, in order; −1 stands for no group."""
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(groups + 1))
    for index in range(groups):
        yield order[bounds[index] : bounds[index + 1]]


def neighbour_distance(rows: Floats, count: int) -> Floats:
    """Mean distance of each of `rows` (m, d) to its `count` nearest others: float32 (m,).

    Fewer than 2·`count` rows are compared with the nearest half of them (as TypiClust's program
    does). A row alone gets 2, the largest distance on the sphere. No m × m array is held.
    """
    import torch

    m = len(rows)
    if m < 2:
        return np.full(m, 2, dtype=np.float32)
    count = max(1, min(count, m // 2))
    features = torch.from_numpy(rows)
    found = torch.empty(m)
    step = max(16, _BLOCK_SCORES // m)
    for start in range(0, m, step):
        cosine = features[start : start + step] @ features.T
        here = torch.arange(len(cosine))
        cosine[here, here + start] = -torch.inf
        top = cosine.topk(count, dim=1).values
        found[start : start + step] = (2 - 2 * top).clamp_min_(0).sqrt_().mean(dim=1)
    return found.numpy()
