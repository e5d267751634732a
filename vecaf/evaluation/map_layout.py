"""The plane on which a dataset is shown: principal components first, UMAP when it is ready.

Arrays in, arrays out. Later rows join a finished map by `Basis.project` and `place`: neither needs
anything but arrays that are kept beside the map.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vecaf.arrays import Floats, Rows, eigh, unit_rows
from vecaf.evaluation.neighbors import nearest_rows
from vecaf.evaluation.numba_threads import threads_kept

NEIGHBOURS = 15  # umap's own default

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
    values, vectors = eigh(covariance.astype(np.float32), dimensions)
    leading, values = vectors[:, ::-1], values[::-1]  # the greatest first
    # Directions that hold rounding errors only would be blown up by scaling rows to unit length.
    leading[:, values <= max(1e-6 * values[0], 1e-9 * n)] = 0
    signs = np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(len(values))])
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
    at: Rows,
    distance: Floats,
    seed: int = 0,
) -> Floats:
    """UMAP (McInnes, Healy & Melville 2018) of unit rows (n, m): float32 (n, 2).

    start         (n, 2), where the points begin: the principal plane. An informative start decides
                  the global arrangement (Kobak & Linderman 2021), and makes the change from one
                  view to the other a short one.
    at, distance  (n, k), each row's nearest rows, itself among them, nearest first; 1 − cosine
    seed          one thread and one seed: the same rows give the same map

    No more rows than neighbours are looked for stay where they start. The neighbours are exact,
    from `nearest_rows`: umap's own search takes longer to compile than they for 50,000 rows.
    """
    if len(space) <= NEIGHBOURS + 1:
        return start.copy()
    import umap

    spread = float(np.abs(start).max()) or 1.0
    rng = np.random.default_rng(seed)
    jitter = rng.normal(scale=1e-3, size=start.shape)  # equal rows must be able to part
    model = umap.UMAP(
        n_neighbors=at.shape[1],
        metric="cosine",
        init=(10 * start / spread + jitter).astype(np.float32),
        precomputed_knn=(at, distance),
        random_state=seed,
        n_jobs=1,
    )
    with threads_kept(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "precomputed_knn", UserWarning)  # `place` transforms
        return np.asarray(model.fit_transform(space), np.float32)


Nearest = Callable[[Floats], tuple[Rows, Floats]]


def place(rows: Floats, positions: Floats, nearest: Nearest) -> Floats:
    """Where rows (q, m) belong on a finished map with `positions` (n, 2): float32 (q, 2).

    `nearest(rows)` → (q, k) indices into `positions`, nearest first, and their distances (q, k),
    1 − cosine. A row lies at the mean of its neighbours' places, weighted by exp(−b / mean b) with
    b a neighbour's distance beyond the nearest one's: how UMAP starts a transform, without the
    random walk that follows there.
    """
    at, distance = nearest(rows)
    beyond = distance - distance[:, :1]
    weight = np.exp(-beyond / np.maximum(beyond.mean(axis=1, keepdims=True), np.float32(1e-6)))
    weight /= weight.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("qk,qkc->qc", weight, positions[at]), np.float32)


def lay_out(
    space: Floats,
    text: Floats,
    start: Floats,
    *,
    limit: int = 60_000,
    seed: int = 0,
    say: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> tuple[Floats, Floats]:
    """UMAP of unit rows (n, m), and the same map with each row moved to where `text` belongs.

    space, text  (n, m), the same images without and with their captions, in one space
    start        (n, 2), the principal plane
    limit        rows that UMAP lays out, drawn at random where there are more; the others are put
                 among them by `place`
    say          told the stage and, of the countable ones, how far it is

    Both are float32 (n, 2). A row's move is the difference of two placings: a row that captions
    leave alone stays exactly where it is, others move as far as their neighbourhood changes.
    """
    n = len(space)
    chosen = np.arange(n)
    if n > limit:
        chosen = np.sort(np.random.default_rng(seed).choice(n, limit, replace=False))
    some = space[chosen]

    def near(rows: Floats, stage: str) -> tuple[Rows, Floats]:
        at, cosine = nearest_rows(
            rows, some, NEIGHBOURS + 1, progress=lambda done, total: say(stage, done, total)
        )
        return at, np.maximum(1 - cosine, 0)

    known = near(some, "Looking for neighbours")
    say("Laying out the map", 0, 0)
    placed = umap_plane(some, start[chosen], *known, seed)
    if n > limit:
        known = near(space, "Placing the other images")
    image = place(space, placed, lambda _: known)
    words = place(text, placed, lambda rows: near(rows, "Placing images with their captions"))
    moved = words - image
    image[chosen] = placed
    return image, image + moved
