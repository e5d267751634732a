"""Pixels read elsewhere than they lie: kernels, motion, zoom, free displacement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Pixels = NDArray[np.float64]  # (height, width, channels)


def convolved(pixels: Pixels, kernel: Pixels) -> Pixels:
    kernel = kernel / kernel.sum()
    return np.stack(
        [ndimage.convolve(pixels[:, :, c], kernel, mode="mirror") for c in range(pixels.shape[2])],
        axis=2,
    )


def moved(pixels: Pixels, radius: float, sigma: float, angle: float) -> Pixels:
    """Blurred along a line at `angle` degrees; the past fades as half a Gaussian."""
    steps = np.arange(2 * max(1, round(radius)) + 1)
    weights = np.exp(-(steps**2) / (2 * max(sigma, 0.3) ** 2))
    down, right = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    blurred = np.zeros_like(pixels)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        if weight > 1e-4:
            offset = (round(step * down), round(step * right), 0)
            blurred += weight * ndimage.shift(pixels, offset, order=0, mode="nearest")
    return blurred


def zoomed(pixels: Pixels, factor: float) -> Pixels:
    """The middle, enlarged to the whole image."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    return sampled(pixels, (np.stack([y, x], axis=-1) - centre) / factor + centre)


def sampled(pixels: Pixels, source: Pixels) -> Pixels:
    """Pixels read at fractional places `source` (height, width, 2), bilinearly."""
    places = [source[:, :, 0], source[:, :, 1]]
    return np.stack(
        [
            ndimage.map_coordinates(pixels[:, :, c], places, order=1, mode="reflect")
            for c in range(pixels.shape[2])
        ],
        axis=2,
    )
