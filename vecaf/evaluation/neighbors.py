"""Nearest rows by cosine: of one image for a page, of every image for a map. Exact, by blocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Rows
from vecaf.evaluation.numba_threads import threads_kept

EXACT_ROWS = 100_000

_BLOCK_ROWS = 16_384
_BLOCK_NUMBERS = 2**26  # float32 numbers made at once: 256 MiB


def nearest(
    space: NDArray[np.floating], query: NDArray[np.floating], k: int, *, leave_out: int = -1
) -> tuple[Rows, Floats]:
    """The k rows of `space` (n, m) nearest to `query` (m,): rows and cosines, best first.

    Both are of unit length (a row of zeros is like nothing). `space` may be a memory map in
    float16; it is read in blocks. `leave_out` is a row that is not an answer, such as the query's
    own. Fewer than k rows come back where there are fewer.
    """
    cosine = np.empty(len(space), np.float32)
    wanted = np.asarray(query, np.float32)
    for start in range(0, len(space), _BLOCK_ROWS):
        block = np.asarray(space[start : start + _BLOCK_ROWS], np.float32)
        cosine[start : start + _BLOCK_ROWS] = block @ wanted
    if 0 <= leave_out < len(cosine):
        cosine[leave_out] = -np.inf
    best = top(cosine, min(k, len(cosine) - (0 <= leave_out < len(cosine))))
    return best, cosine[best]


def top(scores: Floats, k: int) -> Rows:
    """The places of the k highest of scores (n,), best first, ties by place."""
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
    own: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Rows, Floats]:
    """For each of `rows` (q, m) the k nearest of `space` (n, m): (q, k) rows, (q, k) cosines.

    Unit rows both; nearest first. `own`: `rows` are `space` itself, and no row is its own
    neighbour. k is cut to what there is. 50,000 × 50,000 × 128 take about ten seconds on two cores.
    """
    import torch

    n = len(space)
    k = max(0, min(k, n - 1 if own else n))
    found, cosine = np.empty((len(rows), k), np.int64), np.empty((len(rows), k), np.float32)
    if not k:
        return found, cosine
    other = torch.from_numpy(np.ascontiguousarray(space, np.float32)).T
    step = max(1, _BLOCK_NUMBERS // n)
    for start in range(0, len(rows), step):
        block = torch.from_numpy(np.ascontiguousarray(rows[start : start + step], np.float32))
        similarity = block @ other
        if own:
            similarity.diagonal(start).fill_(-torch.inf)
        values, places = similarity.topk(k, dim=1)
        found[start : start + step], cosine[start : start + step] = places.numpy(), values.numpy()
        if progress is not None:
            progress(min(start + step, len(rows)), len(rows))
    return found, cosine


def graph(
    space: Floats, k: int = 15, progress: Callable[[int, int], None] | None = None
) -> tuple[Rows, Floats]:
    """Every row's k nearest others in `space` (n, m), unit rows: (n, k) rows and cosines.

    Exact up to EXACT_ROWS, whose square takes a minute; above by nearest-neighbour descent (Dong,
    Moses & Li 2011, pynndescent's), seeded, which finds nearly all of them.
    """
    if len(space) <= EXACT_ROWS:
        return nearest_rows(space, space, k, own=True, progress=progress)
    from pynndescent import NNDescent

    with threads_kept():
        index = NNDescent(space, metric="cosine", n_neighbors=k + 1, random_state=0)
        at, distance = index.neighbor_graph
    return at[:, 1:].astype(np.int64), np.asarray(1 - distance[:, 1:], np.float32)
