"""Distances to the nearest neighbors within groups of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vecaf.arrays import Floats, Ids

_CHUNK_SCORES = 2**22  # similarities in memory: 16 MiB


def members(group: Ids, groups: int) -> Iterator[Ids]:
    """Yield the rows of group 0 to `groups` − 1; a group of −1 is no group."""
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(groups + 1))
    for index in range(groups):
        yield order[bounds[index] : bounds[index + 1]]


def neighbor_distance(rows: Floats, count: int) -> Floats:
    """Compute the mean distance of each row to its nearest other rows.

    In a group of fewer than 2·`count` rows, the nearest half of them counts, as in the program of
    TypiClust. A single row gets 2, the largest distance on the sphere. No m × m array is in memory.

    Parameters
    ----------
    rows
        Unit rows, shape (m, d).
    count
        Number of neighbors.

    Returns
    -------
    float32 array of shape (m,)
    """
    import torch

    m = len(rows)
    if m < 2:
        return np.full(m, 2, dtype=np.float32)
    count = max(1, min(count, m // 2))
    features = torch.from_numpy(rows)
    found = torch.empty(m)
    step = max(16, _CHUNK_SCORES // m)
    for start in range(0, m, step):
        cosine = features[start : start + step] @ features.T
        here = torch.arange(len(cosine))
        cosine[here, here + start] = -torch.inf
        top = cosine.topk(count, dim=1).values
        found[start : start + step] = (2 - 2 * top).clamp_min_(0).sqrt_().mean(dim=1)
    return found.numpy()
