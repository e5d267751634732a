"""Rank images by similarity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays.neighbors import nearest_neighbors

MAX_RESULTS = 500
NEAR, ENOUGH = 0.17, 5


def ranked(
    ids: NDArray[np.int64], rows: NDArray[np.float32], query: NDArray[np.float32]
) -> dict[str, Any]:
    """Rank `rows` (n, m) by cosine with `query` (m,), best first.

    Returns
    -------
    {"ids", "scores"} of at most MAX_RESULTS rows.
    """
    best, cosine = nearest_neighbors(rows, query, MAX_RESULTS)
    return {"ids": ids[best].tolist(), "scores": [round(float(value), 4) for value in cosine]}


def ranked_by_best(
    ids: NDArray[np.int64], rows: NDArray[np.float32], queries: NDArray[np.float32]
) -> dict[str, Any]:
    """Rank `rows` (n, m) by their largest cosine with any of `queries` (q, m), best first.

    Returns
    -------
    {"ids", "scores"} of at most MAX_RESULTS rows.
    """
    cosine = (rows @ queries.T).max(axis=1)
    best = np.argsort(-cosine, kind="stable")[:MAX_RESULTS]
    return {
        "ids": ids[best].tolist(),
        "scores": [round(float(value), 4) for value in cosine[best]],
    }


def is_near(rows: NDArray[np.float32], queries: NDArray[np.float32]) -> bool:
    """Return whether the best matches of a query are similar enough to call them matches.

    With the embedded model on PACS photos, the fifth best cosine is at least 0.19 for what the
    photos show. It is below NEAR for most words that have nothing to do with them.

    Parameters
    ----------
    rows : array of shape (n, m)
    queries : array of shape (q, m)
        Unit rows, as `rows`. One near query is enough.
    """
    cosine = np.sort(rows @ queries.T, axis=0)[::-1]
    return bool((cosine[:ENOUGH][-1] >= NEAR).any()) if len(rows) else False
