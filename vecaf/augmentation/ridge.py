"""Ridge regression from text embeddings to image features, for any VLM and any backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, eigh
from vecaf.errors import InputError

_Doubles = npt.NDArray[np.float64]

_CHUNK_ROWS = 4096


@dataclass(frozen=True)
class RidgeMap:
    """An affine map from text embeddings to features.

    Attributes
    ----------
    weight
        Shape (e, d).
    text_mean
        Subtracted first, shape (e,).
    feature_mean
        Added last, shape (d,).
    regularization
        λ, in units of the mean variance of a text dimension.
    """

    weight: Floats
    text_mean: Floats
    feature_mean: Floats
    regularization: float

    def apply(self, text: npt.ArrayLike) -> Floats:
        """Map text embeddings (…, e) to features (…, d). Raises InputError for a wrong width."""
        rows: Floats = self._checked(text) - self.text_mean
        mapped: Floats = rows @ self.weight
        return mapped + self.feature_mean

    def direction(self, difference: npt.ArrayLike) -> Floats:
        """Map differences of text embeddings (…, e) to feature space (…, d), without the means."""
        mapped: Floats = self._checked(difference) @ self.weight
        return mapped

    def _checked(self, text: npt.ArrayLike) -> Floats:
        rows = np.asarray(text, dtype=np.float32)
        if rows.shape[-1:] != self.text_mean.shape:
            raise InputError(
                f"The map was fitted on text embeddings with {len(self.text_mean)} dimensions, but "
                f"these have shape {rows.shape}. Embed them with the same model."
            )
        return rows


def fit_ridge(
    text: npt.ArrayLike, features: npt.ArrayLike, *, regularization: float | None = None
) -> RidgeMap:
    """Fit image features to text embeddings by ridge regression, both centered.

    One eigendecomposition of the (e, e) covariance serves all values of λ. Rows are read in chunks.

    Parameters
    ----------
    text
        Caption embedding of each image, shape (m, e).
    features
        Features of the same images, shape (m, d).
    regularization
        λ in units of the mean variance of a text dimension, so that it doesn't depend on m and on
        the scale. By default, generalized cross-validation chooses one of 31 values from 1e-4 to
        1e2.

    Raises
    ------
    InputError
        For unequal lengths, NaN or infinity, no rows, or a negative λ.

    References
    ----------
    Hoerl & Kennard 1970, Ridge regression; Golub, Heath & Wahba 1979, Generalized cross-validation
    as a method for choosing a good ridge parameter.
    """
    t, f = check_rows(text, "text"), check_rows(features, "features")
    if len(t) != len(f):
        raise InputError(
            f"text has {len(t)} rows, but features has {len(f)}. Pass one caption per image."
        )
    if regularization is not None and not 0 <= regularization < np.inf:
        raise InputError(f"regularization is {regularization!r}. Use 0 or a positive number.")
    t_mean, f_mean = t.mean(axis=0, dtype=np.float64), f.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((t.shape[1], t.shape[1]))
    cross = np.zeros((t.shape[1], f.shape[1]))
    spread = 0.0
    for start in range(0, len(t), _CHUNK_ROWS):
        # Products of a chunk in float32 are twice as fast; sums over chunks need float64.
        x = (t[start : start + _CHUNK_ROWS] - t_mean).astype(np.float32)
        y = (f[start : start + _CHUNK_ROWS] - f_mean).astype(np.float32)
        covariance += x.T @ x
        cross += x.T @ y
        spread += float((y * y).sum(dtype=np.float64))
    values, basis = eigh(covariance)
    # Directions without variance contain only rounding errors, so they get no weight.
    size = float(np.trace(covariance)) + len(t) * float(t_mean @ t_mean)
    real = values > max(1e-12 * size, max(values[-1], 0.0) * np.finfo(np.float32).eps)
    values, basis = values[real], basis[:, real]
    projected = basis.T @ cross
    scale = float(np.trace(covariance)) / t.shape[1] or 1.0
    if regularization is None:
        energy = (projected * projected).sum(axis=1)
        regularization = _cross_validated(values / scale, energy / scale, spread, len(t))
    weight = basis @ (projected / (values + regularization * scale)[:, None])
    return RidgeMap(
        weight.astype(np.float32),
        t_mean.astype(np.float32),
        f_mean.astype(np.float32),
        regularization,
    )


def check_rows(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """Return `values` as a float array (m, d).

    Raises
    ------
    InputError
        For another shape, no rows, NaN or infinity.
    """
    rows = np.asarray(values)
    if rows.dtype not in (np.float16, np.float32):
        rows = rows.astype(np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise InputError(f"{name} must have shape (rows, dimensions); got {rows.shape}.")
    for start in range(0, len(rows), _CHUNK_ROWS):
        finite = np.isfinite(rows[start : start + _CHUNK_ROWS])
        if not finite.all():
            row = start + int(np.argwhere(~finite)[0, 0])
            raise InputError(f"{name} contains NaN or infinity in row {row}. Embed it again.")
    return rows


def _cross_validated(values: _Doubles, energy: _Doubles, spread: float, m: int) -> float:
    """Return the λ with the smallest error m·RSS / (m − degrees of freedom)²."""
    candidates = np.logspace(-4, 2, 31)
    shrunk = values[None, :] + candidates[:, None]
    residual = spread - (energy * (2 / shrunk - values / shrunk**2)).sum(axis=1)
    degrees = 1 + (values / shrunk).sum(axis=1)
    error = np.maximum(residual, 0) / np.maximum(m - degrees, 1e-9) ** 2
    return float(candidates[error.argmin()])
