"""Rows of unit length, and their projection to a subspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats


def unit_float32(chunk: npt.NDArray[Any]) -> Floats:
    """Return rows (b, d) as float32 of unit length; a row of zeros stays zero.

    Unlike `arrays.unit_rows`, it divides by the largest entry first: squares of huge rows stay
    finite.
    """
    rows = chunk.astype(np.float32)
    rows /= np.maximum(np.abs(rows).max(axis=1, keepdims=True), np.float32(1e-30))
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-30))
    return rows


@dataclass(frozen=True)
class Subspace:
    """Maps a row f to (f·directions − shift), scaled to unit length.

    Attributes
    ----------
    directions
        Orthonormal columns, shape (d, m).
    shift
        The projected mean, shape (m,).
    """

    directions: Floats
    shift: Floats

    def project(self, rows: Floats) -> Floats:
        """Project rows (n, d) to float32 (n, m). A row that equals the mean becomes zeros."""
        found = rows @ self.directions - self.shift
        length = np.linalg.norm(found, axis=1, keepdims=True)
        unit: Floats = found / np.maximum(length, np.float32(1e-12))
        return unit
