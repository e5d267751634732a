"""Random textures of clouds and ice crystals, at any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

HeightMap = NDArray[np.float64]
MAX_SIDE = 2048  # pixels per side of a height map, which needs 32 MB


def clouds(height: int, width: int, decay: float, rng: np.random.Generator) -> HeightMap:
    """Create a height map of shape (height, width), from 0 to 1.

    Beyond MAX_SIDE pixels the texture repeats without a seam. See `plasma` for `decay`.
    """
    grid = plasma(min(max(height, width), MAX_SIDE), decay, rng)
    rows, columns = np.arange(height) % len(grid), np.arange(width) % len(grid)
    return np.asarray(grid[rows[:, None], columns])


def plasma(side: int, decay: float, rng: np.random.Generator) -> HeightMap:
    """Create a fractal height map by the diamond-square algorithm on a torus.

    Parameters
    ----------
    side
        The least side in pixels.
    decay
        The displacement is divided by decay² at each halving of the step, as in ImageNet-C. A
        larger value gives a smoother map.
    rng

    Returns
    -------
    array of shape (s, s)
        From 0 to 1, where s is the smallest power of two that is at least `side`.

    References
    ----------
    Fournier, Fussell and Carpenter, "Computer Rendering of Stochastic Models", Communications of
    the ACM 1982.
    """
    size = 1 << max(1, (side - 1).bit_length())
    grid = np.zeros((size, size))
    step, amplitude = size, 100.0
    while step >= 2:
        half = step // 2
        corners = grid[0:size:step, 0:size:step]
        squares = corners + np.roll(corners, -1, axis=0)
        squares = squares + np.roll(squares, -1, axis=1)
        grid[half:size:step, half:size:step] = _displace(squares, amplitude, rng)
        centers = grid[half:size:step, half:size:step]
        across = corners + np.roll(corners, -1, axis=1) + centers + np.roll(centers, 1, axis=0)
        grid[0:size:step, half:size:step] = _displace(across, amplitude, rng)
        down = corners + np.roll(corners, -1, axis=0) + centers + np.roll(centers, 1, axis=1)
        grid[half:size:step, 0:size:step] = _displace(down, amplitude, rng)
        step, amplitude = half, amplitude / decay**2
    return _rescale(grid)


def ice_crystals(
    height: int, width: int, rng: np.random.Generator, points: int = 60
) -> NDArray[np.float64]:
    """Create an image of frost on glass, thickest at the rim.

    The crystals are the ridges between Voronoi cells of random points, on two scales. ImageNet-C
    uses photographs instead.

    Parameters
    ----------
    height, width
        In pixels.
    rng
    points
        Number of cells on the coarse scale; the fine scale has six times as many.

    Returns
    -------
    array of shape (height, width, 3)
        RGB, from 0 to 1.
    """
    y, x = np.mgrid[0:height, 0:width]
    rim = np.maximum(np.abs(2 * y / height - 1), np.abs(2 * x / width - 1))
    ridges = np.zeros((height, width))
    for count, weight in ((points, 0.6), (6 * points, 0.4)):
        at = np.stack([rng.uniform(0, height, count), rng.uniform(0, width, count)])
        seeds = np.ones((height, width), dtype=bool)
        seeds[at[0].astype(int), at[1].astype(int)] = False
        distance = ndimage.distance_transform_edt(seeds)
        ridges += weight * _rescale(distance) ** 1.5
    haze = clouds(height, width, 1.8**0.5, rng)
    ice = (0.35 * haze + 0.65 * _rescale(ridges)) * (0.45 + 0.55 * rim)
    return np.asarray(_rescale(ice)[:, :, None] * np.array([0.86, 0.94, 1.0]))


def _displace(sums: HeightMap, amplitude: float, rng: np.random.Generator) -> HeightMap:
    """Average the sums of four neighbors and add a uniform random displacement."""
    return np.asarray(sums / 4 + rng.uniform(-amplitude, amplitude, sums.shape))


def _rescale(grid: HeightMap) -> HeightMap:
    """Scale values linearly to the range from 0 to 1."""
    low, high = grid.min(), grid.max()
    return np.asarray((grid - low) / max(high - low, 1e-9))
