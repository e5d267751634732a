"""Small pools with a known structure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def clusters(sizes: tuple[int, ...], spread: float = 0.1, seed: int = 0) -> tuple[Array, Array]:
    """Rows (n, 12) around orthogonal directions, and the direction (n,) of each."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.eye(len(sizes), 12)[group] + spread * rng.normal(size=(len(group), 12))
    return rows.astype(np.float32), group


def predictions(n: int, classes: int, seed: int = 0) -> Array:
    """Softmax outputs (n, classes), from certain to uncertain."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, classes)) * rng.uniform(0, 4, size=(n, 1))
    raised = np.exp(logits)
    p: Array = raised / raised.sum(axis=1, keepdims=True)
    return p


def unit(rows: Array) -> Array:
    scaled: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled
