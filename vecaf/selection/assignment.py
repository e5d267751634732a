"""Nearest centroids of rows, nearest rows of centroids, and sums over the rows of each centroid.

No rows × centroids array and no float32 copy of all rows is in memory. Rows are read in chunks;
each chunk is multiplied with the centroids once, and its scores are processed while they are in the
cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.selection.parallel import slices, spread
from vecaf.selection.sharded_rows import ShardedRows
from vecaf.selection.stored_rows import FeatureRows, LoadedRows, read_rows

_CHUNK_SCORES = 2**22  # scores in memory: 16 MiB, half of a shared cache
_DEPTH = 32  # available rows in the list of each centroid


@dataclass(frozen=True)
class CentroidAssignment:
    """Assignments of n rows to k centroids and to fixed centroids after them.

    Attributes
    ----------
    selected
        The row that each of the k centroids selects, shape (k,): distinct.
    assigned
        Nearest centroid of each row, shape (n,).
    similarity
        Cosine to it, shape (n,).
    """

    selected: Ids
    assigned: Ids
    similarity: Floats


def nearest(features: FeatureRows, centroids: Floats) -> tuple[Floats, Ids]:
    """Find the most similar centroid of each row.

    Parameters
    ----------
    features
        Unit rows, float32 or float16, shape (n, d).
    centroids
        Unit rows, shape (k, d). Of equal similarities, the lower index counts.

    Returns
    -------
    similarity : float32 array of shape (n,)
    index : int64 array of shape (n,)
    """
    found = _survey(features, centroids, 0, np.empty(0, dtype=bool))
    return found.similarity, found.assigned


def nearest_in_blocks(features: FeatureRows, centroids: Floats, block: int) -> tuple[Floats, Ids]:
    """Compute `nearest` with matrix products that don't reach over the ends of blocks.

    The rows of a block get the same bits, however many blocks there are.
    """
    found = survey_blocks(features, centroids, 0, np.empty(0, dtype=bool), block)
    return found.similarity, found.assigned


def nearest_unused(features: FeatureRows, centroids: Floats, free: npt.NDArray[np.bool_]) -> Ids:
    """Select a row for each centroid: in order, its nearest row that is still available.

    Parameters
    ----------
    features
        Unit rows, shape (n, d).
    centroids
        Shape (k, d).
    free
        Available rows, bool of shape (n,); at least k.

    Returns
    -------
    int64 array of shape (k,)
        Distinct; of equally near rows, the first.
    """
    return assign(features, centroids, centroids[:0], free).selected


def assign(
    features: FeatureRows, centroids: Floats, fixed: Floats, free: npt.NDArray[np.bool_]
) -> CentroidAssignment:
    """Compute `nearest_unused` of the centroids, and `nearest` of all centroids, in one pass.

    Each centroid lists its 32 best available rows. If all of them are taken, the lists of the next
    centroids are computed again from the available rows.

    Parameters
    ----------
    features, centroids, free
        As in `nearest_unused`.
    fixed
        Centroids that select no row, shape (c, d).
    """
    k = len(centroids)
    found = first = _survey(features, np.concatenate((centroids, fixed)), k, free)
    unused = free.copy()
    selected = np.empty(k, dtype=np.int64)
    position, listed_from = 0, 0
    while position < k:
        for listed in found.listed[position - listed_from :]:
            open_rows = listed[unused[listed]]
            if not len(open_rows):
                break
            selected[position] = open_rows[0]
            unused[open_rows[0]] = False
            position += 1
        if position < k:  # _DEPTH rows suffice for the next _DEPTH centroids
            following = centroids[position : position + _DEPTH]
            found, listed_from = _survey(features, following, len(following), unused), position
    return CentroidAssignment(selected, first.assigned, first.similarity)


@dataclass(frozen=True)
class _Survey:
    similarity: Floats
    assigned: Ids
    listed: Ids  # (listing, at most depth): available rows of the first centroids, best first


def _survey(
    features: FeatureRows, centroids: Floats, listing: int, free: npt.NDArray[np.bool_]
) -> _Survey:
    """Find the best centroid of each row, and the best available rows of the first centroids."""
    if isinstance(features, ShardedRows):
        depth = min(_DEPTH, int(free.sum()))
        return _Survey(*features.survey(centroids, listing, depth, free))
    found = survey_blocks(features, centroids, listing, free, max(1, len(features)))
    order = np.lexsort((found.where, -found.near))
    listed = np.take_along_axis(found.where, order, axis=1)
    return _Survey(found.similarity, found.assigned, listed)


@dataclass(frozen=True)
class BlockSurvey:
    """The result of `survey_blocks`.

    Attributes
    ----------
    similarity, assigned
        Cosine to the nearest centroid, and its index, shape (n,).
    near, where
        Cosines and indices of the best available rows of the first centroids, in any order:
        shape (listing, min(32, available rows)).
    """

    similarity: Floats
    assigned: Ids
    near: Floats
    where: Ids


def survey_blocks(
    features: FeatureRows,
    centroids: Floats,
    listing: int,
    free: npt.NDArray[np.bool_],
    block: int,
) -> BlockSurvey:
    """Compare all rows with all centroids, in chunks that don't reach over the ends of blocks.

    Parameters
    ----------
    features
        Unit rows, shape (n, d).
    centroids
        Shape (k, d).
    listing
        Number of centroids that list rows.
    free
        Available rows, bool of shape (n,); not read if `listing` is 0.
    block
        Rows per block.
    """
    import torch

    from vecaf.selection import compiled

    n, k = len(features), len(centroids)
    depth = min(_DEPTH, int(free.sum()))
    near = np.full((listing, depth), -np.inf, dtype=np.float32)
    where = np.full((listing, depth), n, dtype=np.int64)
    assigned = np.zeros(n, dtype=np.int64)
    similarity = np.empty(n, dtype=np.float32)
    targets = torch.from_numpy(centroids).T
    parts = slices(k, at_least=256)  # each thread processes some columns of a chunk
    step = max(64, _CHUNK_SCORES // max(k, 1))
    buffer = torch.empty(min(step, n), k)
    for start, stop in _chunks(n, step, block):
        rows = torch.from_numpy(read_rows(features, slice(start, stop)))
        scores = torch.mm(rows, targets, out=buffer[: len(rows)]).numpy()
        top = np.empty((len(parts), len(rows)), dtype=np.int64)
        high = np.empty((len(parts), len(rows)), dtype=np.float32)

        def take_in(
            part: slice, start: int = start, scores: Floats = scores, top: Ids = top,
            high: Floats = high,
        ) -> None:  # fmt: skip
            own = parts.index(part)
            compiled.survey(
                scores, part.start, part.stop, start, free, top[own], high[own], near, where
            )

        spread(take_in, k, at_least=256)
        own = high.argmax(axis=0)  # the first maximum has the lower index
        here = np.arange(len(rows))
        assigned[start : start + len(rows)] = top[own, here]
        similarity[start : start + len(rows)] = high[own, here]
    return BlockSurvey(similarity, assigned, near, where)


def _chunks(n: int, step: int, block: int) -> Iterator[tuple[int, int]]:
    for first in range(0, n, block):
        end = min(first + block, n)
        for start in range(first, end, step):
            yield start, min(start + step, end)


@dataclass(frozen=True)
class Clusters:
    """Rows by their nearest center.

    Attributes
    ----------
    similarity, assigned
        Cosine to the nearest center, and its index, shape (n,).
    sums, mass
        Σ weight·row and Σ weight of each center, shapes (k, d) and (k,).
    """

    similarity: Floats
    assigned: Ids
    sums: Floats
    mass: Floats


def cluster(features: LoadedRows, centers: Floats, weights: Floats | None) -> Clusters:
    """Find the nearest center of each row, and sum rows and weights (n,) by center."""
    if isinstance(features, ShardedRows):
        return Clusters(*features.cluster(centers, weights))
    similarity, assigned = nearest(features, centers)
    mass_of = np.ones(len(features), dtype=np.float32) if weights is None else weights
    sums, mass = weighted_sums(features, assigned, mass_of, len(centers))
    return Clusters(similarity, assigned, sums, mass)


def weighted_sums(rows: Floats, group: Ids, weights: Floats, groups: int) -> tuple[Floats, Floats]:
    """Sum rows and weights by group.

    No weighted copy of the rows is made. The order of summation doesn't depend on the number of
    threads.

    Parameters
    ----------
    rows
        Shape (n, d).
    group
        Group of each row, shape (n,), from 0 to groups − 1.
    weights
        Shape (n,).
    groups
        Number of groups.

    Returns
    -------
    sums : float32 array of shape (groups, d)
        Σ weight·row.
    masses : float32 array of shape (groups,)
        Σ weight.
    """
    from vecaf.selection import compiled

    order = np.empty(len(group), dtype=np.int64)
    starts = np.zeros(groups + 1, dtype=np.int64)
    compiled.grouped(group, starts, order)
    sums = np.empty((groups, rows.shape[1]), dtype=np.float32)

    def add(part: slice) -> None:
        compiled.add_rows(rows, order, starts, weights, part.start, part.stop, sums)

    spread(add, groups, at_least=16)
    mass = np.bincount(group, weights=weights, minlength=groups).astype(np.float32)
    return sums, mass
