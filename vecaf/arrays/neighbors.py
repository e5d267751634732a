"""Nearest neighbors by cosine similarity, computed exactly in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Rows
from vecaf.arrays.openmp_threads import preserve_thread_count

EXACT_ROWS = 100_000  # up to here `neighbor_graph` is exact; it takes about a minute

_BLOCK_ROWS = 16_384
_BLOCK_NUMBERS = 2**26  # float32 values per block of similarities: 256 MiB


def nearest_neighbors(
    space: NDArray[np.floating], query: NDArray[np.floating], k: int, *, exclude: int = -1
) -> tuple[Rows, Floats]:
    """Find the k rows of `space` with the highest cosine similarity to one query.

    Parameters
    ----------
    space : array of shape (n, m)
        Rows of unit length, or rows of zeros. May be a float16 memory map; it is read in blocks.
    query : array of shape (m,)
        Of unit length.
    k
        Number of neighbors. Fewer are returned if `space` has fewer rows.
    exclude
        Index of a row to skip, such as that of the query. The default of −1 skips none.

    Returns
    -------
    rows : array of shape (k,)
        Indices into `space`, most similar first.
    similarities : array of shape (k,)
    """
    cosine = np.empty(len(space), np.float32)
    target = np.asarray(query, np.float32)
    for start in range(0, len(space), _BLOCK_ROWS):
        block = np.asarray(space[start : start + _BLOCK_ROWS], np.float32)
        cosine[start : start + _BLOCK_ROWS] = block @ target
    if 0 <= exclude < len(cosine):
        cosine[exclude] = -np.inf
    best = top_k(cosine, min(k, len(cosine) - (0 <= exclude < len(cosine))))
    return best, cosine[best]


def top_k(scores: Floats, k: int) -> Rows:
    """Return the indices of the k highest scores, highest first. Ties are ordered by index.

    Parameters
    ----------
    scores : array of shape (n,)
    k

    Returns
    -------
    array of shape (min(k, n),)
    """
    if k <= 0:
        return np.empty(0, np.int64)
    if k < len(scores):
        least = np.partition(scores, -k)[-k]
        above = np.flatnonzero(scores > least)
        ties = np.flatnonzero(scores == least)[: k - len(above)]
        found = np.sort(np.concatenate([above, ties]))
    else:
        found = np.arange(len(scores))
    ordered: Rows = found[np.argsort(-scores[found], kind="stable")]
    return ordered


def nearest_rows(
    rows: NDArray[np.floating],
    space: NDArray[np.floating],
    k: int,
    *,
    exclude_self: bool = False,
    block_numbers: int = _BLOCK_NUMBERS,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Rows, Floats]:
    """Find the k nearest rows of `space` for each of many rows.

    50,000 × 50,000 rows of width 128 take about ten seconds on two cores.

    Parameters
    ----------
    rows : array of shape (q, m)
        Rows of unit length.
    space : array of shape (n, m)
        Rows of unit length.
    k
        Number of neighbors, reduced to the number of available rows.
    exclude_self
        Set this if `rows` is `space`: no row is then its own neighbor.
    block_numbers
        Similarities in memory, as float32 values.
    progress
        Called with the number of finished rows and the total.

    Returns
    -------
    indices : array of shape (q, k)
        Indices into `space`, nearest first.
    similarities : array of shape (q, k)
        Cosine similarities.
    """
    import torch

    n = len(space)
    k = max(0, min(k, n - 1 if exclude_self else n))
    found, cosine = np.empty((len(rows), k), np.int64), np.empty((len(rows), k), np.float32)
    if not k:
        return found, cosine
    transposed = torch.from_numpy(np.ascontiguousarray(space, np.float32)).T
    step = max(1, block_numbers // n)
    for start in range(0, len(rows), step):
        block = torch.from_numpy(np.ascontiguousarray(rows[start : start + step], np.float32))
        similarity = block @ transposed
        if exclude_self:
            similarity.diagonal(start).fill_(-torch.inf)
        values, indices = similarity.topk(k, dim=1)
        found[start : start + step], cosine[start : start + step] = indices.numpy(), values.numpy()
        if progress is not None:
            progress(min(start + step, len(rows)), len(rows))
    return found, cosine


def neighbor_graph(
    space: Floats, k: int = 15, progress: Callable[[int, int], None] | None = None
) -> tuple[Rows, Floats]:
    """Find the k nearest neighbors of every row, excluding the row itself.

    The result is exact for up to EXACT_ROWS rows. Beyond that it uses nearest-neighbor descent with
    a fixed seed, which finds nearly all of them.

    Parameters
    ----------
    space : array of shape (n, m)
        Rows of unit length.
    k
        Number of neighbors. The default is UMAP's.
    progress
        Called with the number of finished rows and the total (exact search only).

    Returns
    -------
    indices : array of shape (n, k)
        Nearest first.
    similarities : array of shape (n, k)
        Cosine similarities.

    References
    ----------
    Dong, Moses and Li, "Efficient K-Nearest Neighbor Graph Construction for Generic Similarity
    Measures", WWW 2011, as implemented by pynndescent.
    """
    if len(space) <= EXACT_ROWS:
        return nearest_rows(space, space, k, exclude_self=True, progress=progress)
    from pynndescent import NNDescent

    with preserve_thread_count():
        index = NNDescent(space, metric="cosine", n_neighbors=k + 1, random_state=0)
        at, distance = index.neighbor_graph
    return at[:, 1:].astype(np.int64), np.asarray(1 - distance[:, 1:], np.float32)
