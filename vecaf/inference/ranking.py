"""Search results: the best rows and how well they fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecaf.evaluation.neighbors import nearest_neighbors

BEST = 500  # results of a search


def ranked(
    ids: NDArray[np.int64], rows: NDArray[np.float32], query: NDArray[np.float32]
) -> dict[str, Any]:
    """{"ids", "scores"} of the best of `rows` (n, m) by cosine with `query` (m,), best first."""
    best, cosine = nearest_neighbors(rows, query, BEST)
    return {"ids": ids[best].tolist(), "scores": [round(float(value), 4) for value in cosine]}
