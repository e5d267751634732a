"""Principal components of rows, and the projection of further rows on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, eigh, unit_rows

Doubles = NDArray[np.float64]


_BLOCK_ROWS = 8192


@dataclass(frozen=True)
class Basis:
    """Principal axes of a dataset's unit features.

    Attributes
    ----------
    mean : float32 array of shape (d,)
        Mean of the unit rows.
    components : float32 array of shape (d, m)
        Orthonormal columns, in descending order of variance. A column without variance is zero.
    """

    mean: Floats
    components: Floats

    def project(self, features: Floats) -> Floats:
        """Project features onto the axes.

        Parameters
        ----------
        features : array of shape (n, d)
            Of any length; rows are scaled to unit length first.

        Returns
        -------
        float32 array of shape (n, m)
        """
        out = np.empty((len(features), self.components.shape[1]), np.float32)
        for start in range(0, len(features), _BLOCK_ROWS):
            block = unit_rows(features[start : start + _BLOCK_ROWS]) - self.mean
            out[start : start + _BLOCK_ROWS] = block @ self.components
        return out


def fit_basis(features: Floats, dimensions: int = 128) -> Basis:
    """Compute the leading principal axes of the unit features.

    The axes are the exact eigenvectors of the covariance matrix, which is summed over blocks of
    rows. 50,000 × 1280 features take about a second. The sign of each axis is chosen so that its
    largest entry is positive, which makes the result deterministic.

    Parameters
    ----------
    features : array of shape (n, d)
    dimensions
        Number of axes, reduced to d if larger.
    """
    n, d = features.shape
    mean = np.zeros(d)
    for start in range(0, n, _BLOCK_ROWS):
        mean += unit_rows(features[start : start + _BLOCK_ROWS]).sum(axis=0, dtype=np.float64)
    center = (mean / max(n, 1)).astype(np.float32)
    covariance = np.zeros((d, d))
    for start in range(0, n, _BLOCK_ROWS):
        block = unit_rows(features[start : start + _BLOCK_ROWS]) - center
        covariance += block.T @ block
    values, vectors = eigh(covariance.astype(np.float32), dimensions)
    leading, values = vectors[:, ::-1], values[::-1]  # in descending order
    # Scaling rows to unit length would amplify directions that hold only rounding errors.
    leading[:, values <= max(1e-6 * values[0], 1e-9 * n)] = 0
    signs = np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(len(values))])
    return Basis(center, np.ascontiguousarray(leading * np.where(signs == 0, 1, signs), np.float32))


def leading_directions(centered: Doubles, dimensions: int) -> Doubles:
    """Return the leading principal directions of centered rows (n, d): shape (d, at most
    dimensions).

    The smaller of the two product matrices is decomposed, d × d or n × n, and only as far as
    needed: all 1,280 directions of 630 rows take 17 times as long.
    """
    n, d = centered.shape
    products = centered @ centered.T if n < d else centered.T @ centered
    variance, vectors = eigh(products, dimensions)
    # Scaling to unit length would amplify directions with only rounding errors.
    real = np.flatnonzero(variance > 1e-10 * n)[::-1]  # greatest first
    leading: Doubles = vectors[:, real]
    return centered.T @ leading / np.sqrt(variance[real]) if n < d else leading
