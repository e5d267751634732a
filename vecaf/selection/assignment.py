"""Rows and centroids: who is nearest to whom, and sums over each centroid's rows.

Nothing here holds a rows × centroids array: scores are made in blocks of rows. Features must be
float32 and of unit length.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecaf.selection.pool import Floats, Ids
from vecaf.selection.threads import spread

_BLOCK_SCORES = 2**21  # scores made at once: 8 MiB, about what two cores' caches hold


def nearest(features: Floats, centroids: Floats) -> tuple[Floats, Ids]:
    """Similarity to, and index of, the most similar centroid: float32 (n,) and int64 (n,)."""
    import torch

    rows, targets = torch.from_numpy(features), torch.from_numpy(centroids)
    similarity = torch.empty(len(rows))
    winner = torch.empty(len(rows), dtype=torch.int64)
    step = max(64, _BLOCK_SCORES // len(centroids))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        torch.max(rows[part] @ targets.T, dim=1, out=(similarity[part], winner[part]))
    return similarity.numpy(), winner.numpy()


def weighted_sums(rows: Floats, group: Ids, weights: Floats, groups: int) -> tuple[Floats, Floats]:
    """Σ weights·rows by group, (groups, d), and Σ weights by group, (groups,).

    rows (n, d), group (n,) from 0 to `groups` − 1, weights (n,). No weighted copy of the rows is
    made; each group is summed in the order of its rows, on however many threads.
    """
    from vecaf.selection import kernels

    order = np.argsort(group.astype(np.int32), kind="stable")
    starts = np.concatenate(([0], np.cumsum(np.bincount(group, minlength=groups))))
    sums = np.empty((groups, rows.shape[1]), dtype=np.float32)

    def add(part: slice) -> None:
        kernels.add_rows(rows, order, starts, weights, part.start, part.stop, sums)

    spread(add, groups, at_least=16)
    mass = np.bincount(group, weights=weights, minlength=groups).astype(np.float32)
    return sums, mass


def nearest_unused(features: Floats, centroids: Floats, free: npt.NDArray[np.bool_]) -> Ids:
    """Row for each centroid: in order, every centroid takes its nearest row still free.

    features (n, d), centroids (k, d), free bool (n,) with at least k True. Returns int64 (k,),
    distinct. Instead of sorting all rows, each centroid lists its 32 best free rows; where all of
    them are gone, the lists of the next centroids are made afresh from what is still free.
    """
    depth = 32
    unused = free.copy()
    picked = np.empty(len(centroids), dtype=np.int64)
    position, ahead = 0, len(centroids)
    while position < len(centroids):
        candidates = _best_rows(features, centroids[position : position + ahead], unused, depth)
        for listed in candidates:
            open_rows = listed[unused[listed]]
            if not len(open_rows):
                break
            picked[position] = open_rows[0]
            unused[open_rows[0]] = False
            position += 1
        ahead = depth  # at least this many can be served from lists that have just been made
    return picked


def _best_rows(features: Floats, centroids: Floats, free: npt.NDArray[np.bool_], depth: int) -> Ids:
    """The `depth` most similar free rows of each centroid, best first: int64 (k, ≤ depth)."""
    import torch

    rows = torch.from_numpy(features)
    targets = torch.from_numpy(centroids)
    blocked = torch.from_numpy(~free)
    depth = min(depth, int(free.sum()))
    best = torch.empty(len(targets), 0)
    where = torch.empty(len(targets), 0, dtype=torch.int64)
    step = max(64, 8 * _BLOCK_SCORES // len(targets))  # larger: every block costs a merge
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        scores = targets @ rows[part].T
        scores[:, blocked[part]] = -torch.inf
        top = scores.topk(min(depth, scores.shape[1]), dim=1)
        best = torch.cat((best, top.values), dim=1)
        where = torch.cat((where, top.indices + start), dim=1)
        best, keep = best.topk(min(depth, best.shape[1]), dim=1)
        where = where.gather(1, keep)
    return where.numpy()
