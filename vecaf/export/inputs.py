"""Image files as the input of an exported model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.datasets.pool import Samples
from vecaf.encoders.preprocessing import Preprocessing, decode, pixels


def inputs_of(paths: Sequence[Path], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Decode and normalize image files: float32 (n, 3, s, s)."""
    raw = np.stack([pixels(decode(path), preprocessing) for path in paths])
    mean, std = (np.array(one, dtype=np.float32) for one in (preprocessing.mean, preprocessing.std))
    normalized = (raw.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(normalized.transpose(0, 3, 1, 2))


def random_images(samples: Samples, split: str, count: int, *, labeled: bool) -> NDArray[np.int64]:
    """Return the positions of at most `count` random images of a split whose files exist."""
    rows = samples.rows(split)
    if labeled:
        rows = rows[samples.labels[rows] >= 0]
    shuffled = np.random.default_rng(0).permutation(rows)
    found = [row for row in shuffled.tolist() if samples.paths[row].exists()]
    return np.array(found[:count], dtype=np.int64)
