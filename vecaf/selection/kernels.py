"""Compiled loops over rows and the few centroids that may win them; arrays in, arrays filled.

Compiled by Numba when first called (seconds, then cached on disk), so import this module lazily.
All loops release the interpreter's lock: `threads.spread` runs them on slices of rows at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Sums may be reordered, so that they vectorise; NaN and infinity keep their meaning.
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
    winner,
    best,
    stale,
):
    """Winner and best score of each row at today's centroids, from its list of candidates.

    rows       float32 (n, d)           centroids  float32 (k, d)
    path       float32 (k,), how far each centroid has come so far
    listed     int32 (n, m), `length` (n,) of which are candidates of the row
    bound      float32 (n, m): a candidate's score is at most bound + path; made tighter here
    outside    float32 (n,): the score of any other centroid is at most outside + pace + lead
    slack      above what float32 rounding takes from a bound
    lead       float32 (k,), above 0 for the centroids `hot` only, which are in order of it
    winner     int64 (n,), yesterday's on entry; best float32 (n,); stale bool (n,): filled

    A row is stale if a centroid that is neither listed nor hot might have won.
    """
    for i in range(rows.shape[0]):
        row = rows[i]
        top = winner[i]
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
        winner[i] = top
        best[i] = high


@_compiled
def relist(  # type: ignore[no-untyped-def]
    scores, ids, path, pace, spread, listed, bound, length, outside, winner, best
):
    """Make the lists of rows `ids` (r,) afresh from all their `scores`, float32 (r, k).

    Listed are scores of more than `spread` standard deviations above the row's mean. A list that
    is full drops what is not above its own mean. Fills the other arrays (see `verify`) at `ids`.
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
                if count == room:  # all alike, and rounding has put their mean below them
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
        winner[i] = top
        best[i] = high


@_compiled
def grouped(group, starts, order):  # type: ignore[no-untyped-def]
    """Rows by group: order[starts[g]:starts[g + 1]], ascending, for each g. A counting sort.

    group int64 (n,); starts int64 (groups + 1,), zeros on entry; order int64 (n,).
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
    """sums[g] = Σ weights·rows over the rows order[starts[g]:starts[g + 1]], for g first … last."""
    for g in range(first, last):
        total = sums[g]
        total[:] = 0
        for place in range(starts[g], starts[g + 1]):
            i = order[place]
            row, weight = rows[i], weights[i]
            for index in range(row.shape[0]):
                total[index] += weight * row[index]


@_compiled
def survey(scores, first, last, start, free, winner, best, near, where):  # type: ignore[no-untyped-def]
    """Take in the scores of a block of rows at the centroids `first` … `last` − 1.

    scores  float32 (b, k), of the rows start … start + b − 1, in order
    free    bool (n,), rows that may be picked
    winner  int64 (b,) and best float32 (b,): filled with each row's best of these centroids
    near    float32 (c, m): the best free rows' scores at each of the first c centroids, the lowest
            of them in front; -inf on the first call. `where` int64 (c, m): their rows

    Rows come in ascending order, and of equal scores the one that came first stays.
    """
    room = near.shape[1]
    for r in range(scores.shape[0]):
        high, top = np.float32(-np.inf), first
        for j in range(first, min(last, near.shape[0])):
            score = scores[r, j]
            if score > high:
                high, top = score, j
            if score > near[j, 0] and free[start + r]:
                # Sift down a heap whose root is the worst: lower score, or equal and a later row.
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
        winner[r] = top
        best[r] = high
