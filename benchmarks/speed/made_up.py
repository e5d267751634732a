"""Features that are made up, where a dataset's would be too many or aren't there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def clustered(n: int, d: int, seed: int) -> npt.NDArray[np.float32]:
    """Unit rows around 400 directions, whose coordinates shrink as principal components do."""
    rng = np.random.default_rng(seed)
    scale = (1 + np.arange(d, dtype=np.float32)) ** np.float32(-0.4)
    centres = np.random.default_rng(0).standard_normal((400, d), np.float32)
    rows = centres[rng.integers(400, size=n)] + 1.5 * rng.standard_normal((n, d), np.float32)
    rows *= scale
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
