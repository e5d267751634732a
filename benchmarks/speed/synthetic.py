"""Synthetic features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def clustered(n: int, d: int, seed: int) -> npt.NDArray[np.float32]:
    """Create unit rows (n, d) around 400 centers, with a spectrum like principal components."""
    rng = np.random.default_rng(seed)
    scale = (1 + np.arange(d, dtype=np.float32)) ** np.float32(-0.4)
    centers = np.random.default_rng(0).standard_normal((400, d), np.float32)
    rows = centers[rng.integers(400, size=n)] + 1.5 * rng.standard_normal((n, d), np.float32)
    rows *= scale
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
