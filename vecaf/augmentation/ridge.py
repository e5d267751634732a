"""Ridge regression from text embeddings to image features: any VLM's words in any PVM's space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, eigh
from vecaf.errors import InputError

_Doubles = npt.NDArray[np.float64]

_BLOCK_ROWS = 4096  # rows centred at once


@dataclass(frozen=True)
class RidgeMap:
    """An affine map from text embeddings (d_t) to features (d_f).

    weight          float32 (d_t, d_f)
    text_mean       float32 (d_t,), subtracted first
    feature_mean    float32 (d_f,), added last
    regularisation  λ, in units of the mean variance of a text dimension
    """

    weight: Floats
    text_mean: Floats
    feature_mean: Floats
    regularisation: float

    def apply(self, text: npt.ArrayLike) -> Floats:
        """Map `text` (…, d_t) to features, float32 (…, d_f). Raises InputError on a wrong width."""
        rows: Floats = self._checked(text) - self.text_mean
        mapped: Floats = rows @ self.weight
        return mapped + self.feature_mean

    def direction(self, difference: npt.ArrayLike) -> Floats:
        """Map a difference of two text embeddings (…, d_t): the linear part alone, (…, d_f)."""
        mapped: Floats = self._checked(difference) @ self.weight
        return mapped

    def _checked(self, text: npt.ArrayLike) -> Floats:
        rows = np.asarray(text, dtype=np.float32)
        if rows.shape[-1:] != self.text_mean.shape:
            raise InputError(
                f"The map was fitted on text embeddings of {len(self.text_mean)} dimensions; "
                f"these have shape {rows.shape}."
            )
        return rows


def fit_ridge(
    text: npt.ArrayLike, features: npt.ArrayLike, *, regularisation: float | None = None
) -> RidgeMap:
    """Fit features ≈ text by centred ridge regression (Hoerl & Kennard 1970).

    text            (m, d_t), the caption embedding of each image
    features        (m, d_f), the feature of the same image
    regularisation  λ in units of the mean variance of a text dimension (so that it means the same
                    for every m and scale); None chooses it by generalised cross-validation
                    (Golub, Heath & Wahba 1979) among 31 values from 1e-4 to 1e2

    One eigendecomposition of the (d_t, d_t) covariance serves every λ; rows are read in blocks.
    Raises InputError for unequal lengths, NaN or infinity, no rows, or a negative λ.
    """
    t, f = check_rows(text, "text"), check_rows(features, "features")
    if len(t) != len(f):
        raise InputError(
            f"text has {len(t)} rows and features has {len(f)}; give one caption for each image."
        )
    if regularisation is not None and not 0 <= regularisation < np.inf:
        raise InputError(f"regularisation is {regularisation!r}; use 0 or a positive number.")
    t_mean, f_mean = t.mean(axis=0, dtype=np.float64), f.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((t.shape[1], t.shape[1]))
    cross = np.zeros((t.shape[1], f.shape[1]))
    spread = 0.0
    for start in range(0, len(t), _BLOCK_ROWS):
        # Products of a block in float32, twice as fast; their sums over blocks in float64.
        x = (t[start : start + _BLOCK_ROWS] - t_mean).astype(np.float32)
        y = (f[start : start + _BLOCK_ROWS] - f_mean).astype(np.float32)
        covariance += x.T @ x
        cross += x.T @ y
        spread += float((y * y).sum(dtype=np.float64))
    values, basis = eigh(covariance)
    # Directions without variance carry rounding errors only: they get no weight.
    size = float(np.trace(covariance)) + len(t) * float(t_mean @ t_mean)
    real = values > max(1e-12 * size, max(values[-1], 0.0) * np.finfo(np.float32).eps)
    values, basis = values[real], basis[:, real]
    projected = basis.T @ cross
    scale = float(np.trace(covariance)) / t.shape[1] or 1.0
    if regularisation is None:
        energy = (projected * projected).sum(axis=1)
        regularisation = _cross_validated(values / scale, energy / scale, spread, len(t))
    weight = basis @ (projected / (values + regularisation * scale)[:, None])
    return RidgeMap(
        weight.astype(np.float32),
        t_mean.astype(np.float32),
        f_mean.astype(np.float32),
        regularisation,
    )


def check_rows(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """`values` as a float array (m, d); InputError for another shape, no rows, NaN or infinity."""
    rows = np.asarray(values)
    if rows.dtype not in (np.float16, np.float32):
        rows = rows.astype(np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise InputError(f"{name} must have shape (rows, dimensions); got {rows.shape}.")
    for start in range(0, len(rows), _BLOCK_ROWS):
        finite = np.isfinite(rows[start : start + _BLOCK_ROWS])
        if not finite.all():
            row = start + int(np.argwhere(~finite)[0, 0])
            raise InputError(f"{name} holds NaN or infinity (first in row {row}); embed it again.")
    return rows


def _cross_validated(values: _Doubles, energy: _Doubles, spread: float, m: int) -> float:
    """The λ with the least generalised cross-validation error, m·RSS / (m − degrees)²."""
    candidates = np.logspace(-4, 2, 31)
    shrunk = values[None, :] + candidates[:, None]
    residual = spread - (energy * (2 / shrunk - values / shrunk**2)).sum(axis=1)
    degrees = 1 + (values / shrunk).sum(axis=1)
    error = np.maximum(residual, 0) / np.maximum(m - degrees, 1e-9) ** 2
    return float(candidates[error.argmin()])
