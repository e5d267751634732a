"""Distances to the nearest neighbors within groups of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.arrays.neighbors import nearest_rows

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
    _, cosine = nearest_rows(rows, rows, count, exclude_self=True, block_numbers=_CHUNK_SCORES)
    distance = (2 - 2 * torch.from_numpy(cosine)).clamp_min_(0).sqrt_()
    return np.asarray(distance.mean(dim=1).numpy())
