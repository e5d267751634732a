"""Convolution, motion blur, zoom and bilinear sampling of images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Pixels = NDArray[np.float64]  # (height, width, channels), from 0 to 1


def convolve(pixels: Pixels, kernel: Pixels) -> Pixels:
    """Convolve each channel with a kernel (rows, columns), which is normalized to a sum of 1."""
    kernel = kernel / kernel.sum()
    return np.stack(
        [ndimage.convolve(pixels[:, :, c], kernel, mode="mirror") for c in range(pixels.shape[2])],
        axis=2,
    )


def blur_along_line(pixels: Pixels, radius: float, sigma: float, angle: float) -> Pixels:
    """Blur along a line with the weights of a one-sided Gaussian.

    Parameters
    ----------
    pixels : array of shape (height, width, channels)
    radius
        Half the length of the line in pixels.
    sigma
        Standard deviation of the Gaussian in pixels.
    angle
        In degrees.
    """
    steps = np.arange(2 * max(1, round(radius)) + 1)
    weights = np.exp(-(steps**2) / (2 * max(sigma, 0.3) ** 2))
    down, right = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    blurred = np.zeros_like(pixels)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        if weight > 1e-4:
            offset = (round(step * down), round(step * right), 0)
            blurred += weight * ndimage.shift(pixels, offset, order=0, mode="nearest")
    return blurred


def zoom_center(pixels: Pixels, factor: float) -> Pixels:
    """Enlarge the center of an image by a factor, keeping the image size."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    center = np.array([(height - 1) / 2, (width - 1) / 2])
    return sample_bilinear(pixels, (np.stack([y, x], axis=-1) - center) / factor + center)


def sample_bilinear(pixels: Pixels, source: Pixels) -> Pixels:
    """Read pixels at fractional coordinates by bilinear interpolation.

    Parameters
    ----------
    pixels : array of shape (height, width, channels)
    source : array of shape (height, width, 2)
        The row and column to read for each output pixel.
    """
    coordinates = [source[:, :, 0], source[:, :, 1]]
    return np.stack(
        [
            ndimage.map_coordinates(pixels[:, :, c], coordinates, order=1, mode="reflect")
            for c in range(pixels.shape[2])
        ],
        axis=2,
    )
