"""Two-dimensional layouts of a dataset: principal components first, then UMAP.

All functions are pure. Rows that are added later join an existing map through `Basis.project` of
`vecaf.arrays.principal_components` and `place_rows`, which need only arrays stored with the map.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from types import ModuleType

import numpy as np

from vecaf.arrays import Floats, Rows
from vecaf.arrays.neighbors import nearest_rows
from vecaf.arrays.openmp_threads import preserve_thread_count

NEIGHBORS = 15  # UMAP's default
MIN_DIST = 0.3  # UMAP's default is 0.1; a looser layout leaves room between the points of a cluster

COMPILED = (
    ("umap.umap_", "smooth_knn_dist"),
    ("umap.umap_", "compute_membership_strengths"),
    ("umap.layouts", "_nb_optimize_layout_euclidean_single_epoch"),
)
"""The loops that UMAP compiles for a layout."""


def first_two(coordinates: Floats) -> Floats:
    """Return the first two columns of coordinates (n, m). A missing column is zero."""
    out = np.zeros((len(coordinates), 2), np.float32)
    width = min(2, coordinates.shape[1])
    out[:, :width] = coordinates[:, :width]
    return out


def umap_positions(
    space: Floats,
    start: Floats,
    indices: Rows,
    distances: Floats,
    seed: int = 0,
    min_dist: float = MIN_DIST,
) -> Floats:
    """Compute a UMAP layout.

    If there are at most NEIGHBORS + 1 rows, they stay at `start`.

    Parameters
    ----------
    space : array of shape (n, m)
        Rows of unit length.
    start : array of shape (n, 2)
        Initial positions: the first two principal components. An informative start determines the
        global arrangement, and keeps the transition between the two views short.
    indices, distances : array of shape (n, k)
        The nearest rows of each row, including itself, nearest first, and their cosine distances.
        They come from `nearest_rows`: for 50,000 rows, UMAP's own search takes longer to compile
        than the exact search takes to run.
    seed
        UMAP runs on one thread, so that the same rows and seed give the same map.
    min_dist
        UMAP's smallest distance between points, 0 to 1: small values give dense clusters.

    Returns
    -------
    float32 array of shape (n, 2)

    References
    ----------
    McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection for Dimension
    Reduction", 2018. Kobak and Linderman, "Initialization is critical for preserving global data
    structure in both t-SNE and UMAP", Nature Biotechnology 2021.
    """
    if len(space) <= NEIGHBORS + 1:
        return start.copy()
    umap = _load_umap()
    scale = float(np.abs(start).max()) or 1.0
    rng = np.random.default_rng(seed)
    jitter = rng.normal(scale=1e-3, size=start.shape)  # separates identical rows
    model = umap.UMAP(
        n_neighbors=indices.shape[1],
        min_dist=min_dist,
        metric="cosine",
        init=(10 * start / scale + jitter).astype(np.float32),
        precomputed_knn=(indices, distances),
        random_state=seed,
        n_jobs=1,
    )
    with preserve_thread_count(), warnings.catch_warnings():
        # UMAP warns that it can't transform new rows; `place_rows` does that here.
        warnings.filterwarnings("ignore", "precomputed_knn", UserWarning)
        return np.asarray(model.fit_transform(space), np.float32)


def _load_umap() -> ModuleType:
    """Import UMAP, and have Numba cache its loops on disk.

    UMAP does not ask for that, so each process would compile them for several seconds.
    """
    umap: ModuleType = import_module("umap")
    for module, name in COMPILED:
        loop = getattr(import_module(module), name, None)  # other versions have other loops
        if loop is not None:
            with suppress(RuntimeError):  # no folder for the cache is writable
                loop.enable_caching()
    return umap


NearestSearch = Callable[[Floats], tuple[Rows, Floats]]


def place_rows(rows: Floats, positions: Floats, nearest: NearestSearch) -> Floats:
    """Place rows on an existing map, between the positions of their nearest neighbors.

    A row is placed at the weighted mean of its neighbors' positions. The weight of a neighbor is
    exp(−b / mean b), where b is its distance minus that of the nearest neighbor. UMAP initializes a
    transform in the same way, but then adds a random optimization, which is omitted here.

    Parameters
    ----------
    rows : array of shape (q, m)
    positions : array of shape (n, 2)
    nearest
        Maps rows to the indices (q, k) of their nearest positions, nearest first, and to their
        cosine distances (q, k).

    Returns
    -------
    float32 array of shape (q, 2)
    """
    indices, distances = nearest(rows)
    excess = distances - distances[:, :1]
    weight = np.exp(-excess / np.maximum(excess.mean(axis=1, keepdims=True), np.float32(1e-6)))
    weight /= weight.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("qk,qkc->qc", weight, positions[indices]), np.float32)


def layout_map(
    space: Floats,
    text: Floats,
    start: Floats,
    *,
    limit: int = 60_000,
    seed: int = 0,
    min_dist: float = MIN_DIST,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> tuple[Floats, Floats]:
    """Lay out images with UMAP, once by their features and once with their captions applied.

    The second layout reuses the first one. It places each image twice on the first layout, with and
    without its caption, and moves the image by the difference. If a caption does not change the
    features, the image keeps its position.

    Parameters
    ----------
    space, text : array of shape (n, m)
        Unit rows of the same images without and with captions, in the same feature space.
    start : array of shape (n, 2)
        The first two principal components.
    limit
        The maximum number of rows that UMAP lays out. If there are more, a random sample is laid
        out and `place_rows` adds the others. The default keeps the time to about 90 s on two cores.
    seed, min_dist
        See `umap_positions`.
    progress
        Called with the stage, and the number of finished rows and the total (0, 0 if unknown).

    Returns
    -------
    image_positions, text_positions : float32 array of shape (n, 2)
    """
    n = len(space)
    sampled = np.arange(n)
    if n > limit:
        sampled = np.sort(np.random.default_rng(seed).choice(n, limit, replace=False))
    subset = space[sampled]

    def search(rows: Floats, stage: str) -> tuple[Rows, Floats]:
        indices, cosine = nearest_rows(
            rows, subset, NEIGHBORS + 1, progress=lambda done, total: progress(stage, done, total)
        )
        return indices, np.maximum(1 - cosine, 0)

    known = search(subset, "Finding nearest neighbors")
    progress("Computing the map", 0, 0)
    positions = umap_positions(subset, start[sampled], *known, seed, min_dist)
    if n > limit:
        known = search(space, "Placing the other images")
    image = place_rows(space, positions, lambda _: known)
    words = place_rows(text, positions, lambda rows: search(rows, "Placing images with captions"))
    moved = words - image
    image[sampled] = positions
    return image, image + moved
