"""Array types, unit rows, softmax, and eigenvectors. Modules: principal components, neighbors."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays.blas_threads import single_blas_thread

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]  # sample ids
Rows = NDArray[np.int64]  # positions in an array of samples
Labels = NDArray[np.int64]  # class indices

Real = TypeVar("Real", np.float32, np.float64)


def eigh(symmetric: NDArray[Real], count: int | None = None) -> tuple[NDArray[Real], NDArray[Real]]:
    """Return the `count` largest eigenvalues of a symmetric matrix and their eigenvectors.

    The decomposition uses one thread.

    Parameters
    ----------
    symmetric : array of shape (n, n)
    count : int, optional
        The number of eigenvalues, at most n (the default). A tenth of them takes half the time.

    Returns
    -------
    values : array of shape (count,), ascending
    vectors : array of shape (n, count), one column per eigenvalue
    """
    from scipy import linalg

    n = len(symmetric)
    some = count is not None and count < n
    with single_blas_thread():
        values, vectors = linalg.eigh(
            symmetric,
            subset_by_index=(n - (count or 0), n - 1) if some else None,
            driver="evr" if some else "evd",
        )
    return values, vectors


def unit_rows(rows: NDArray[Any]) -> Floats:
    """Scale rows (…, d) to unit length, as float32; a row of zeros stays zero."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)


def softmax(scores: NDArray[Any], temperature: float = 1.0) -> Floats:
    """Turn rows (n, k) of scores into probabilities, as float32: exp(score / temperature) / Σ."""
    scaled = scores / np.float32(temperature)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
