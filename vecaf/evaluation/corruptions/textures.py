"""Textures of weather: clouds of fog, crystals of frost. Drawn from a generator, any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grid = NDArray[np.float64]
LARGEST = 2048  # side of a height map; it needs 32 MB


def clouds(height: int, width: int, decay: float, rng: np.random.Generator) -> Grid:
    """A height map (height, width); it repeats every LARGEST pixels, without a seam."""
    grid = plasma(min(max(height, width), LARGEST), decay, rng)
    rows, columns = np.arange(height) % len(grid), np.arange(width) % len(grid)
    return np.asarray(grid[rows[:, None], columns])


def plasma(side: int, decay: float, rng: np.random.Generator) -> Grid:
    """A fractal height map (s, s) from 0 to 1, s the first power of two that is ≥ `side`.

    The diamond-square algorithm (Fournier, Fussell & Carpenter 1982) on a torus, as in ImageNet-C:
    `decay` twice divides the displacement at every halving (once in its amount, once in its range,
    as in their program), so that a larger one is smoother.
    """
    size = 1 << max(1, (side - 1).bit_length())
    grid = np.zeros((size, size))
    step, wobble = size, 100.0
    while step >= 2:
        half = step // 2
        corners = grid[0:size:step, 0:size:step]
        squares = corners + np.roll(corners, -1, axis=0)
        squares = squares + np.roll(squares, -1, axis=1)
        grid[half:size:step, half:size:step] = _wobbled(squares, wobble, rng)
        centres = grid[half:size:step, half:size:step]
        across = corners + np.roll(corners, -1, axis=1) + centres + np.roll(centres, 1, axis=0)
        grid[0:size:step, half:size:step] = _wobbled(across, wobble, rng)
        down = corners + np.roll(corners, -1, axis=0) + centres + np.roll(centres, 1, axis=1)
        grid[half:size:step, 0:size:step] = _wobbled(down, wobble, rng)
        step, wobble = half, wobble / decay**2
    return _stretched(grid)


def crystals(
    height: int, width: int, rng: np.random.Generator, points: int = 60
) -> NDArray[np.float64]:
    """Frost on glass as RGB (height, width, 3), from 0 to 1, thickest at the rim.

    Needles are the ridges between the cells around random points, on two scales; ImageNet-C pastes
    photographs instead.
    """
    y, x = np.mgrid[0:height, 0:width]
    rim = np.maximum(np.abs(2 * y / height - 1), np.abs(2 * x / width - 1))
    ridges = np.zeros((height, width))
    for count, weight in ((points, 0.6), (6 * points, 0.4)):
        at = np.stack([rng.uniform(0, height, count), rng.uniform(0, width, count)])
        seeds = np.ones((height, width), dtype=bool)
        seeds[at[0].astype(int), at[1].astype(int)] = False
        distance = ndimage.distance_transform_edt(seeds)
        ridges += weight * _stretched(distance) ** 1.5
    haze = clouds(height, width, 1.8**0.5, rng)
    ice = (0.35 * haze + 0.65 * _stretched(ridges)) * (0.45 + 0.55 * rim)
    return np.asarray(_stretched(ice)[:, :, None] * np.array([0.86, 0.94, 1.0]))


def _wobbled(sums: Grid, wobble: float, rng: np.random.Generator) -> Grid:
    return np.asarray(sums / 4 + rng.uniform(-wobble, wobble, sums.shape))


def _stretched(grid: Grid) -> Grid:
    low, high = grid.min(), grid.max()
    return np.asarray((grid - low) / max(high - low, 1e-9))
