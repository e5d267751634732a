"""Rows and centroids: who is nearest to whom, and sums over each centroid's rows.

Nothing here holds a rows × centroids array, nor all rows in float32: rows are read in blocks
(`blocks.read`), each is multiplied with the centroids once, and what the scores say is taken in
while they are in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.selection.blocks import Rows, read
from vecaf.selection.parallel import slices, spread

_BLOCK_SCORES = 2**22  # scores made at once: 16 MiB, half of a shared cache
_DEPTH = 32  # free rows that each centroid lists


@dataclass(frozen=True)
class Assignment:
    """What one pass over n rows says about k centroids, `fixed` ones after them included.

    picked      int64 (k,), the row that each of the k takes: distinct
    winner      int64 (n,), each row's nearest centroid
    similarity  float32 (n,), the cosine to it
    """

    picked: Ids
    winner: Ids
    similarity: Floats


def nearest(features: Rows, centroids: Floats) -> tuple[Floats, Ids]:
    """Similarity to, and index of, the most similar centroid: float32 (n,) and int64 (n,).

    features (n, d), unit rows, float32 or float16; of equal similarities the lower index counts.
    """
    found = _survey(features, centroids, 0, np.empty(0, dtype=bool))
    return found.similarity, found.winner


def nearest_unused(features: Rows, centroids: Floats, free: npt.NDArray[np.bool_]) -> Ids:
    """Row for each centroid: in order, every centroid takes its nearest row still free.

    features (n, d), centroids (k, d), free bool (n,) with at least k True. Returns int64 (k,),
    distinct; of equally near rows the first.
    """
    return assign(features, centroids, centroids[:0], free).picked


def assign(
    features: Rows, centroids: Floats, fixed: Floats, free: npt.NDArray[np.bool_]
) -> Assignment:
    """`nearest_unused` of the centroids and `nearest` of centroids and `fixed` (c, d), in one pass.

    Instead of sorting all rows, each centroid lists its 32 best free rows; where all of them are
    gone, the lists of the next centroids are made afresh from what is still free.
    """
    k = len(centroids)
    found = first = _survey(features, np.concatenate((centroids, fixed)), k, free)
    unused = free.copy()
    picked = np.empty(k, dtype=np.int64)
    position, listed_from = 0, 0
    while position < k:
        for listed in found.listed[position - listed_from :]:
            open_rows = listed[unused[listed]]
            if not len(open_rows):
                break
            picked[position] = open_rows[0]
            unused[open_rows[0]] = False
            position += 1
        if position < k:  # fresh lists serve at least as many centroids as they have places
            following = centroids[position : position + _DEPTH]
            found, listed_from = _survey(features, following, len(following), unused), position
    return Assignment(picked, first.winner, first.similarity)


@dataclass(frozen=True)
class _Survey:
    similarity: Floats
    winner: Ids
    listed: Ids  # (listing, ≤ depth), the best free rows of each of the first centroids, best first


def _survey(
    features: Rows, centroids: Floats, listing: int, free: npt.NDArray[np.bool_]
) -> _Survey:
    """Each row's best centroid, and the best free rows of the first `listing` centroids."""
    import torch

    from vecaf.selection import kernels

    n, k = len(features), len(centroids)
    depth = min(_DEPTH, int(free.sum()))
    near = np.full((listing, depth), -np.inf, dtype=np.float32)
    where = np.full((listing, depth), n, dtype=np.int64)
    winner = np.zeros(n, dtype=np.int64)
    similarity = np.empty(n, dtype=np.float32)
    targets = torch.from_numpy(centroids).T
    parts = slices(k, at_least=256)  # threads share a block by its columns
    step = max(64, _BLOCK_SCORES // max(k, 1))
    buffer = torch.empty(min(step, n), k)
    for start in range(0, n, step):
        rows = torch.from_numpy(read(features, slice(start, start + step)))
        scores = torch.mm(rows, targets, out=buffer[: len(rows)]).numpy()
        top = np.empty((len(parts), len(rows)), dtype=np.int64)
        high = np.empty((len(parts), len(rows)), dtype=np.float32)

        def take_in(
            part: slice, start: int = start, scores: Floats = scores, top: Ids = top,
            high: Floats = high,
        ) -> None:  # fmt: skip
            own = parts.index(part)
            kernels.survey(
                scores, part.start, part.stop, start, free, top[own], high[own], near, where
            )

        spread(take_in, k, at_least=256)
        own = high.argmax(axis=0)  # the first part that has the best: the lower index
        here = np.arange(len(rows))
        winner[start : start + len(rows)] = top[own, here]
        similarity[start : start + len(rows)] = high[own, here]
    order = np.lexsort((where, -near))
    return _Survey(similarity, winner, np.take_along_axis(where, order, axis=1))


def weighted_sums(rows: Floats, group: Ids, weights: Floats, groups: int) -> tuple[Floats, Floats]:
    """Σ weights·rows by group, (groups, d), and Σ weights by group, (groups,).

    rows (n, d), group (n,) from 0 to `groups` − 1, weights (n,). No weighted copy of the rows is
    made; each group is summed in the order of its rows, on however many threads.
    """
    from vecaf.selection import kernels

    order = np.empty(len(group), dtype=np.int64)
    starts = np.zeros(groups + 1, dtype=np.int64)
    kernels.grouped(group, starts, order)
    sums = np.empty((groups, rows.shape[1]), dtype=np.float32)

    def add(part: slice) -> None:
        kernels.add_rows(rows, order, starts, weights, part.start, part.stop, sums)

    spread(add, groups, at_least=16)
    mass = np.bincount(group, weights=weights, minlength=groups).astype(np.float32)
    return sums, mass
