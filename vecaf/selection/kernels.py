"""Compiled loops over rows and the few centroids that may win them; arrays in, arrays filled.

Compiled by Numba when first called (seconds, then cached on disk), so import this module lazily.
All loops release the interpreter's lock: `threads.spread` runs them on slices of rows at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Sums may be reordered, so that they vectorise; NaN and infinity keep their meaning.
_compiled = njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})

_SLACK = np.float32(4e-6)  # above what float32 rounding adds to a bound (scores and paths are ~1)


@_compiled
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for index in range(a.shape[0]):
        total += a[index] * b[index]
    return total


@_compiled
def verify(  # type: ignore[no-untyped-def]
    rows, centroids, path, listed, bound, length, outside, rise, epoch, winner, best, stale
):
    """Winner and best score of each row at today's centroids, from its list of candidates.

    rows       float32 (n, d)           centroids  float32 (k, d)
    path       float32 (k,), how far each centroid has come so far
    listed     int32 (n, m), `length` (n,) of which are candidates of the row
    bound      float32 (n, m): a candidate's score is at most bound + path; made tighter here
    outside    float32 (n,): no centroid that isn't listed scores more than outside + rise[epoch]
    winner     int64 (n,), yesterday's on entry; best float32 (n,); stale bool (n,): filled

    A row is stale if a centroid outside its list might have won.
    """
    for i in range(rows.shape[0]):
        row = rows[i]
        top = winner[i]
        high = _dot(row, centroids[top])
        for place in range(length[i]):
            j = listed[i, place]
            if bound[i, place] + path[j] + _SLACK < high or j == top:
                continue
            score = _dot(row, centroids[j])
            bound[i, place] = score - path[j]
            if score > high or (score == high and j < top):
                top, high = j, score
        winner[i] = top
        best[i] = high
        stale[i] = outside[i] + rise[epoch[i]] + _SLACK >= high


@_compiled
def relist(scores, ids, path, listed, bound, length, outside, winner, best):  # type: ignore[no-untyped-def]
    """Make the lists of rows `ids` (r,) afresh from all their `scores`, float32 (r, k).

    One pass: a full list drops what is not above its mean, and takes nothing below that from then
    on. Fills the other arrays (see `verify`) at `ids`.
    """
    room = listed.shape[1]
    for r in range(ids.shape[0]):
        i = ids[r]
        floor = np.float32(-np.inf)
        high = np.float32(-np.inf)
        top = 0
        count = 0
        for j in range(scores.shape[1]):
            score = scores[r, j]
            if score <= floor:
                continue
            if score > high:
                high, top = score, j
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
                if score <= floor or count == room:
                    # (Rounding may put the mean below all of a list of equals: it stays full.)
                    floor = max(floor, score) if count == room else floor
                    continue
            bound[i, count] = score
            listed[i, count] = j
            count += 1
        for place in range(count):
            bound[i, place] -= path[listed[i, place]]
        length[i] = count
        outside[i] = floor
        winner[i] = top
        best[i] = high


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
