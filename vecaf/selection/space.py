"""The space in which rows are compared: leading principal components on the unit sphere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, eigh

Doubles = NDArray[np.float64]

_SAMPLE = 20_000  # rows that the covariance is estimated from


WIDEST = 384  # the width of the features that ActiveFT was made for (ViT-S)


def narrowed(features: Floats, dimensions: int = WIDEST) -> Floats:
    """Features as they are up to so many dimensions, wider ones as in `principal_space`.

    For strategies whose authors compare the features themselves: a convolutional network's 1,280
    dimensions cost three times as much as a ViT-S's and hold hardly more. 0 keeps them all.
    """
    if not dimensions or features.shape[1] <= dimensions:
        return features
    return principal_space(features, dimensions)


def principal_space(features: Floats, dimensions: int) -> Floats:
    """Rows about their mean in the leading principal components: unit float32 (n, ≤ dimensions).

    The components come from the first 20,000 rows, a random sample of a canonical pool. With
    `dimensions` 0, or fewer than three rows, features are returned as they are. A row that lies
    on the mean (all rows equal, say) becomes a row of zeros.
    """
    if dimensions == 0 or len(features) < 3:
        return features
    sample = features[:_SAMPLE].astype(np.float64)
    mean = sample.mean(axis=0)
    sample -= mean
    leading = _leading(sample, dimensions)
    if not leading.shape[1]:
        return features
    directions = leading.astype(np.float32)
    rows = features @ directions - (mean @ leading).astype(np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.maximum(length, np.float32(1e-12))
    return unit


def _leading(centered: Doubles, dimensions: int) -> Doubles:
    """The leading principal directions of `centered` (n, d): (d, ≤ dimensions).

    Only these are computed, and from the smaller of the two matrices that have them, features by
    features or rows by rows: all 1,280 of 630 rows take seventeen times as long.
    """
    n, d = centered.shape
    products = centered @ centered.T if n < d else centered.T @ centered
    variance, vectors = eigh(products, dimensions)
    # Directions that hold rounding errors only would be blown up by the scaling to unit length.
    real = np.flatnonzero(variance > 1e-10 * n)[::-1]  # the greatest first
    leading: Doubles = vectors[:, real]
    return centered.T @ leading / np.sqrt(variance[real]) if n < d else leading
