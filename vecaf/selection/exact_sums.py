"""Sums in float64 that don't depend on the order of their terms.

Terms are rounded to multiples of a power of two. The grid is so coarse that each partial sum is a
float64 number. Then additions are exact, and shards can add their terms in any grouping.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


def grid_of(bound: float) -> float:
    """Return how many grid steps 1 has, a power of two, for sums of absolute terms up to `bound`.

    The rounding error of a term is at most bound · 2^−52.
    """
    return 2.0 ** (52 - math.ceil(math.log2(bound)))


def on_grid(terms: npt.NDArray[np.floating], grid: float) -> Doubles:
    """Return terms in whole grid steps, as float64."""
    steps: Doubles = np.rint(terms.astype(np.float64) * grid)
    return steps
