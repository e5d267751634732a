"""Loops over rows that Numba compiles: they fill the arrays they are given.

The first call compiles for seconds and caches the result on disk, so import this module lazily. All
loops release the interpreter lock; `parallel.spread` runs them on several slices at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Sums may be reordered, so that they vectorize; NaN and infinity keep their meaning.
_compiled = njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})


@_compiled
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for index in range(a.shape[0]):
        total += a[index] * b[index]
    return total


@_compiled
def verify(  # type: ignore[no-untyped-def]
    rows,
    centroids,
    path,
    pace,
    slack,
    lead,
    hot,
    listed,
    bound,
    length,
    outside,
    assigned,
    best,
    stale,
):
    """Find the nearest centroid of each row from its list of candidates.

    Parameters
    ----------
    rows, centroids
        float32, shapes (n, d) and (k, d).
    path
        How far each centroid has moved so far, float32 (k,).
    listed, length
        Candidates of each row, int32 (n, m), and their number (n,).
    bound
        float32 (n, m): the score of a candidate is at most bound + path. Updated here.
    outside
        float32 (n,): the score of any other centroid is at most outside + pace + lead.
    slack
        More than the rounding error of a bound.
    lead, hot
        float32 (k,), above 0 only for the centroids `hot`, which are sorted by it.
    assigned, best
        Nearest centroid, int64 (n,), the previous one on entry, and its score, float32 (n,).
        Filled.
    stale
        bool (n,), filled: whether a centroid outside `listed` and `hot` may be the nearest.
    """
    for i in range(rows.shape[0]):
        row = rows[i]
        top = assigned[i]
        high = _dot(row, centroids[top])
        for place in range(length[i]):
            j = listed[i, place]
            if bound[i, place] + path[j] + slack < high or j == top:
                continue
            score = _dot(row, centroids[j])
            bound[i, place] = score - path[j]
            if score > high or (score == high and j < top):
                top, high = j, score
        others = outside[i] + pace + slack
        stale[i] = others >= high
        if stale[i]:
            continue
        for j in hot:
            if others + lead[j] < high:
                break
            score = _dot(row, centroids[j])
            if score > high or (score == high and j < top):
                top, high = j, score
        assigned[i] = top
        best[i] = high


@_compiled
def relist(  # type: ignore[no-untyped-def]
    scores, ids, path, pace, spread, listed, bound, length, outside, assigned, best
):
    """List the candidates of rows `ids` (r,) again, from all their `scores`, float32 (r, k).

    The list contains scores of more than `spread` standard deviations above the mean of the row. A
    full list drops all scores below its own mean. Fills the other arrays at `ids`; see `verify`.
    """
    k, room = scores.shape[1], listed.shape[1]
    for r in range(ids.shape[0]):
        i = ids[r]
        total = square = np.float32(0)
        for j in range(k):
            total += scores[r, j]
            square += scores[r, j] * scores[r, j]
        mean = total / np.float32(k)
        floor = np.float32(-np.inf)
        if room < k:
            floor = mean + spread * np.sqrt(
                max(square / np.float32(k) - mean * mean, np.float32(0))
            )
        high = np.float32(-np.inf)
        top = count = 0
        for j in range(k):
            score = scores[r, j]
            if score > high:
                high, top = score, j
            if score <= floor:
                continue
            if count == room:
                total = np.float32(0)
                for place in range(room):
                    total += bound[i, place]
                floor = max(floor, total / np.float32(room))
                count = 0
                for place in range(room):
                    if bound[i, place] > floor:
                        bound[i, count] = bound[i, place]
                        listed[i, count] = listed[i, place]
                        count += 1
                if count == room:  # all equal, and their mean was rounded down
                    floor = bound[i, 0]
                    count = 0
                if score <= floor:
                    continue
            bound[i, count] = score
            listed[i, count] = j
            count += 1
        for place in range(count):
            bound[i, place] -= path[listed[i, place]]
        length[i] = count
        outside[i] = floor - pace
        assigned[i] = top
        best[i] = high


@_compiled
def grouped(group, starts, order):  # type: ignore[no-untyped-def]
    """Sort rows by group (a counting sort): order[starts[g]:starts[g + 1]] are the rows of g,
    ascending.

    Parameters
    ----------
    group
        int64 (n,).
    starts
        int64 (groups + 1,), zeros on entry. Filled.
    order
        int64 (n,). Filled.
    """
    groups = starts.shape[0] - 1
    for i in range(group.shape[0]):
        starts[group[i] + 1] += 1
    for g in range(groups):
        starts[g + 1] += starts[g]
    following = starts[:groups].copy()
    for i in range(group.shape[0]):
        order[following[group[i]]] = i
        following[group[i]] += 1


@_compiled
def add_rows(rows, order, starts, weights, first, last, sums):  # type: ignore[no-untyped-def]
    """Set sums[g] = Σ weights·rows over order[starts[g]:starts[g + 1]] for g from first to last."""
    for g in range(first, last):
        total = sums[g]
        total[:] = 0
        for place in range(starts[g], starts[g + 1]):
            i = order[place]
            row, weight = rows[i], weights[i]
            for index in range(row.shape[0]):
                total[index] += weight * row[index]


@_compiled
def survey(  # type: ignore[no-untyped-def]
    scores, first, last, start, free, assigned, best, near, where
):
    """Process the scores of a chunk of rows at the centroids `first` to `last` − 1.

    Rows come in ascending order; of equal scores, the first one stays.

    Parameters
    ----------
    scores
        float32 (b, k), of the rows start to start + b − 1.
    free
        Available rows, bool (n,).
    assigned, best
        int64 (b,) and float32 (b,): filled with the best of these centroids for each row.
    near, where
        float32 (c, m) and int64 (c, m): scores and rows of the best available rows of the first c
        centroids, the lowest in front; −inf on the first call.
    """
    room = near.shape[1]
    for r in range(scores.shape[0]):
        high, top = np.float32(-np.inf), first
        for j in range(first, min(last, near.shape[0])):
            score = scores[r, j]
            if score > high:
                high, top = score, j
            if score > near[j, 0] and free[start + r]:
                # Sift down a heap; its root has the lowest score, or an equal one and a later row.
                place = 0
                while 2 * place + 1 < room:
                    child = 2 * place + 1
                    if child + 1 < room and (
                        near[j, child + 1] < near[j, child]
                        or (
                            near[j, child + 1] == near[j, child]
                            and where[j, child + 1] > where[j, child]
                        )
                    ):
                        child += 1
                    if near[j, child] >= score:
                        break
                    near[j, place], where[j, place] = near[j, child], where[j, child]
                    place = child
                near[j, place], where[j, place] = score, start + r
        for j in range(max(first, near.shape[0]), last):
            if scores[r, j] > high:
                high, top = scores[r, j], j
        assigned[r] = top
        best[r] = high
