"""The plane on which a dataset is shown: principal components first, UMAP when it is ready.

Arrays in, arrays out. Later rows join a finished map by `Basis.project` and `place`: neither needs
anything but arrays that are kept beside the map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecaf.encoders.embedding import unit_rows

Floats = NDArray[np.float32]

_BLOCK_ROWS = 8192


@dataclass(frozen=True)
class Basis:
    """Principal axes of a dataset's unit features.

    mean        float32 (d,), of the unit rows
    components  float32 (d, m), orthonormal columns, most variance first; a column without any
                variance in the data is zero
    """

    mean: Floats
    components: Floats

    def project(self, features: Floats) -> Floats:
        """Coordinates (n, m) of features (n, d), raw or unit, on the axes."""
        out = np.empty((len(features), self.components.shape[1]), np.float32)
        for start in range(0, len(features), _BLOCK_ROWS):
            block = unit_rows(features[start : start + _BLOCK_ROWS]) - self.mean
            out[start : start + _BLOCK_ROWS] = block @ self.components
        return out


def fit_basis(features: Floats, dimensions: int = 128) -> Basis:
    """The `dimensions` leading axes (fewer where d is less) of features (n, d).

    Exact, by the covariance's eigenvectors, in float32 by blocks: a second for 50,000 × 1280. Each
    axis is turned so that its largest entry is positive, which makes the map the same every time.
    """
    n, d = features.shape
    mean = np.zeros(d)
    for start in range(0, n, _BLOCK_ROWS):
        mean += unit_rows(features[start : start + _BLOCK_ROWS]).sum(axis=0, dtype=np.float64)
    centre = (mean / max(n, 1)).astype(np.float32)
    covariance = np.zeros((d, d))
    for start in range(0, n, _BLOCK_ROWS):
        block = unit_rows(features[start : start + _BLOCK_ROWS]) - centre
        covariance += block.T @ block
    values, vectors = np.linalg.eigh(covariance.astype(np.float32))  # ascending
    order = np.arange(d)[::-1][:dimensions]
    leading = vectors[:, order]
    # Directions that hold rounding errors only would be blown up by scaling rows to unit length.
    leading[:, values[order] <= max(1e-6 * values[-1], 1e-9 * n)] = 0
    signs = np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(len(order))])
    return Basis(centre, np.ascontiguousarray(leading * np.where(signs == 0, 1, signs), np.float32))


def plane(coordinates: Floats) -> Floats:
    """The first two columns of coordinates (n, m); a missing one is zero."""
    out = np.zeros((len(coordinates), 2), np.float32)
    width = min(2, coordinates.shape[1])
    out[:, :width] = coordinates[:, :width]
    return out


def umap_plane(
    space: Floats,
    start: Floats,
    neighbours: NDArray[np.int64],
    distances: Floats,
    seed: int = 0,
) -> Floats:
    """UMAP (McInnes, Healy & Melville 2018) of unit rows (n, m): float32 (n, 2).

    start       (n, 2), where the points begin: the principal plane. An informative start decides
                the global arrangement (Kobak & Linderman 2021), and makes the change from one view
                to the other a short one.
    neighbours  (n, k), each row's nearest others, nearest first; `distances` (n, k): 1 − cosine
    seed        one thread and one seed: the same rows give the same map

    Fewer than five rows stay where they start. Exact neighbours come from `nearest_rows`; umap's
    own search would compile for longer than 50,000 rows take.
    """
    if len(space) < 5:
        return start.copy()
    import umap

    own = np.arange(len(space))[:, None]
    indices = np.concatenate([own, neighbours], axis=1)
    lengths = np.concatenate([np.zeros_like(own, np.float32), distances], axis=1)
    spread = float(np.abs(start).max()) or 1.0
    rng = np.random.default_rng(seed)
    jitter = rng.normal(scale=1e-3, size=start.shape)  # equal rows must be able to part
    model = umap.UMAP(
        n_neighbors=indices.shape[1],
        metric="cosine",
        init=(10 * start / spread + jitter).astype(np.float32),
        precomputed_knn=(indices, lengths.astype(np.float32)),
        random_state=seed,
        n_jobs=1,
    )
    placed: Floats = np.asarray(model.fit_transform(space), np.float32)
    return placed


Nearest = Callable[[Floats], tuple[NDArray[np.int64], Floats]]


def place(rows: Floats, positions: Floats, nearest: Nearest) -> Floats:
    """Where rows (q, m) belong on a finished map with `positions` (n, 2): float32 (q, 2).

    `nearest(rows)` → (q, k) indices into `positions` and (q, k) distances. A row lies at the mean
    of its neighbours' places, weighted by exp(−(distance − nearest's) / mean distance beyond it):
    how UMAP starts a transform, without the random walk that follows there.
    """
    at, distance = nearest(rows)
    beyond = distance - distance[:, :1]
    scale = np.maximum(beyond.mean(axis=1, keepdims=True), 1e-6)
    weight = np.exp(-beyond / scale)
    weight /= weight.sum(axis=1, keepdims=True)
    return np.asarray((weight[:, :, None] * positions[at]).sum(axis=1), np.float32)
