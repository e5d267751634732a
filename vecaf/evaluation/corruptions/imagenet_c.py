"""The fifteen corruptions of ImageNet-C at five severities, for images of any size.

Images of up to 64 pixels use the parameters of CIFAR-10-C, larger ones those of ImageNet-C, which
are meant for 224 pixels. Between these sizes, lengths in pixels are scaled with the image. Images
above 224 pixels are resized first. Two corruptions differ from the original: frost uses a generated
texture instead of photographs, and motion blur samples points along a line.

Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", ICLR 2019 (arXiv 1903.12261).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from vecaf.errors import InputError
from vecaf.evaluation.corruptions.matching import SEVERITIES
from vecaf.evaluation.corruptions.resampling import (
    Pixels,
    blur_along_line,
    convolve,
    sample_bilinear,
    zoom_center,
)
from vecaf.evaluation.corruptions.textures import clouds, ice_crystals
from vecaf.registry import Registry

IMAGENET_SIDE = 224  # pixels per side of the images of ImageNet-C
MAX_CIFAR_SIDE = 64  # the largest side that uses the parameters of CIFAR-10-C


@dataclass(frozen=True)
class Level:
    """The severity of a corruption for an image of a given size.

    `severity` is from 1 to 5, `side` the shorter side of the image in pixels.
    """

    severity: int
    side: int
    rng: np.random.Generator

    def of(self, large: list[Any], small: list[Any]) -> Any:
        """Return the parameters for this severity, from the table for this image size."""
        return (small if self.side <= MAX_CIFAR_SIDE else large)[self.severity - 1]

    @property
    def scale(self) -> float:
        """The factor for lengths in pixels: 1 at 224 pixels and for small images."""
        return 1.0 if self.side <= MAX_CIFAR_SIDE else min(1.0, self.side / IMAGENET_SIDE)


Corruption = Callable[[Pixels, Level], Pixels]
CORRUPTIONS: Registry[Corruption] = Registry("corruption")
"""Functions (pixels, level) → pixels. The result is clipped to the range from 0 to 1 afterward."""


def corrupt(image: Image.Image, corruption: str, severity: int, seed: int = 0) -> Image.Image:
    """Corrupt an image. The result depends only on the arguments.

    Parameters
    ----------
    image
        RGB. An image with a shorter side above 224 pixels is resized to 224 pixels first.
    corruption
        A name from CORRUPTIONS.
    severity
        From 1 to 5.
    seed

    Raises
    ------
    InputError
        If the corruption or the severity is unknown.
    """
    apply = CORRUPTIONS[corruption]
    if severity not in SEVERITIES:
        raise InputError(f"The severity is {severity}. Choose a severity from 1 to 5.")
    side = min(image.size)
    if side > IMAGENET_SIDE:
        width, height = image.size
        size = (round(width * IMAGENET_SIDE / side), round(height * IMAGENET_SIDE / side))
        image = image.resize(size, Image.Resampling.BILINEAR)
    content = hashlib.sha256(image.tobytes()).digest()[:8]
    rng = np.random.default_rng([seed, severity, int.from_bytes(content, "big")])
    level = Level(severity, min(image.size), rng)
    pixels = apply(np.asarray(image.convert("RGB"), dtype=np.float64) / 255, level)
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))


@CORRUPTIONS.register
def gaussian_noise(pixels: Pixels, level: Level) -> Pixels:
    """Add Gaussian noise, as a sensor does in low light."""
    sigma: float = level.of([0.08, 0.12, 0.18, 0.26, 0.38], [0.04, 0.06, 0.08, 0.09, 0.10])
    return pixels + level.rng.normal(0, sigma, pixels.shape)


@CORRUPTIONS.register
def shot_noise(pixels: Pixels, level: Level) -> Pixels:
    """Add Poisson noise, as from a small number of photons."""
    photons: int = level.of([60, 25, 12, 5, 3], [500, 250, 100, 75, 50])
    return np.asarray(level.rng.poisson(pixels * photons) / photons)


@CORRUPTIONS.register
def impulse_noise(pixels: Pixels, level: Level) -> Pixels:
    """Set random values to black or white (salt-and-pepper noise)."""
    share: float = level.of([0.03, 0.06, 0.09, 0.17, 0.27], [0.01, 0.02, 0.03, 0.05, 0.07])
    draw = level.rng.random(pixels.shape)
    return np.where(draw < share / 2, 0.0, np.where(draw > 1 - share / 2, 1.0, pixels))


@CORRUPTIONS.register
def defocus_blur(pixels: Pixels, level: Level) -> Pixels:
    """Blur with a disk, as a lens that is out of focus does."""
    radius, softness = level.of(
        [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)],
        [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)],
    )
    radius *= level.scale
    reach = int(np.ceil(max(radius, 1) + 3 * softness))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = ndimage.gaussian_filter((x * x + y * y <= radius * radius).astype(float), softness)
    return convolve(pixels, disk)


@CORRUPTIONS.register
def glass_blur(pixels: Pixels, level: Level) -> Pixels:
    """Exchange nearby pixels, as frosted glass does."""
    sigma, reach, times = level.of(
        [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)],
        [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)],
    )
    reach = max(1, round(reach * level.scale))
    pixels = ndimage.gaussian_filter(pixels, (sigma, sigma, 0))
    height, width = pixels.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    for _ in range(times):
        down, right = level.rng.integers(-reach, reach, (2, height, width))
        pixels = pixels[(rows + down).clip(0, height - 1), (columns + right).clip(0, width - 1)]
    return np.asarray(ndimage.gaussian_filter(pixels, (sigma, sigma, 0)))


@CORRUPTIONS.register
def motion_blur(pixels: Pixels, level: Level) -> Pixels:
    """Blur along a line, as a moving camera does."""
    radius, sigma = level.of(
        [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)],
        [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)],
    )
    angle = level.rng.uniform(-45, 45)
    return blur_along_line(pixels, radius * level.scale, sigma * level.scale, angle)


@CORRUPTIONS.register
def zoom_blur(pixels: Pixels, level: Level) -> Pixels:
    """Average zoomed copies, as a camera that moves toward the object does."""
    most, step = level.of(
        [(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)],
        [(1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)],
    )
    factors = np.arange(1, most, step)
    return np.asarray(
        np.mean([pixels, *(zoom_center(pixels, factor) for factor in factors)], axis=0)
    )


@CORRUPTIONS.register
def snow(pixels: Pixels, level: Level) -> Pixels:
    """Add falling snowflakes and whiten the image."""
    mean, spread, zoom, threshold, radius, sigma, share = level.of(
        [
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7), (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ],
        [
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9), (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ],
    )  # fmt: skip
    flakes = level.rng.normal(mean, spread, (*pixels.shape[:2], 1))
    flakes = zoom_center(flakes, 1 + (zoom - 1) * level.scale)
    flakes = np.where(flakes < threshold, 0, flakes.clip(0, 1))
    angle = level.rng.uniform(-135, -45)
    flakes = blur_along_line(flakes, radius * level.scale, sigma * level.scale, angle)
    gray = pixels @ np.array([0.299, 0.587, 0.114])
    whiter = np.maximum(pixels, gray[:, :, None] * 1.5 + 0.5)
    return np.asarray(share * pixels + (1 - share) * whiter + flakes + np.rot90(flakes, 2))


@CORRUPTIONS.register
def frost(pixels: Pixels, level: Level) -> Pixels:
    """Overlay ice crystals, as on a frozen lens."""
    image, ice = level.of(
        [(1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)],
        [(1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)],
    )
    height, width = pixels.shape[:2]
    return np.asarray(image * pixels + ice * ice_crystals(height, width, level.rng))


@CORRUPTIONS.register
def fog(pixels: Pixels, level: Level) -> Pixels:
    """Overlay clouds of uneven density (a diamond-square fractal)."""
    strength, decay = level.of(
        [(1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)],
        [(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)],
    )
    brightest = pixels.max()
    height, width = pixels.shape[:2]
    cloud = clouds(height, width, decay, level.rng)[:, :, None]
    return np.asarray((pixels + strength * cloud) * brightest / (brightest + strength))


@CORRUPTIONS.register
def brightness(pixels: Pixels, level: Level) -> Pixels:
    """Increase the brightness (the value in HSV) by a constant."""
    more: float = level.of([0.1, 0.2, 0.3, 0.4, 0.5], [0.05, 0.1, 0.15, 0.2, 0.3])
    value = pixels.max(axis=2, keepdims=True)
    brighter = (value + more).clip(0, 1)
    return np.asarray(np.where(value > 0, pixels * brighter / np.maximum(value, 1e-9), brighter))


@CORRUPTIONS.register
def contrast(pixels: Pixels, level: Level) -> Pixels:
    """Reduce the contrast by moving all pixels toward the mean color."""
    share: float = level.of([0.4, 0.3, 0.2, 0.1, 0.05], [0.75, 0.5, 0.4, 0.3, 0.15])
    mean = pixels.mean(axis=(0, 1), keepdims=True)
    return np.asarray((pixels - mean) * share + mean)


@CORRUPTIONS.register
def elastic_transform(pixels: Pixels, level: Level) -> Pixels:
    """Apply a random affine map and a local elastic deformation."""
    alpha, sigma, affine = level.of(
        [
            (2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02),
            (0.12, 0.01, 0.02),
        ],
        [
            (0, 1, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05),
            (0.1, 0.03, 0.03),
        ],
    )  # fmt: skip
    height, width = pixels.shape[:2]
    rng, side = level.rng, min(height, width)
    third = side / 3  # three displaced points near the center determine an affine map
    points = np.array([(1, 1), (-1, 1), (1, -1)]) * third
    displaced = points + rng.uniform(-affine * side, affine * side, (3, 2))
    inverse = np.linalg.solve(np.column_stack([displaced, np.ones(3)]), points)
    y, x = np.mgrid[0:height, 0:width]
    center = np.array([(height - 1) / 2, (width - 1) / 2])
    offset = np.stack([y - center[0], x - center[1]], axis=-1)
    source = offset @ inverse[:2] + inverse[2] + center
    for axis in range(2):
        field = rng.uniform(-1, 1, (height, width))
        source[:, :, axis] += (
            alpha * side * ndimage.gaussian_filter(field, sigma * side, mode="reflect", truncate=3)
        )
    return sample_bilinear(pixels, source)


@CORRUPTIONS.register
def pixelate(pixels: Pixels, level: Level) -> Pixels:
    """Reduce the resolution and enlarge the result to the original size."""
    share: float = level.of([0.6, 0.5, 0.4, 0.3, 0.25], [0.95, 0.9, 0.85, 0.75, 0.65])
    image = _as_image(pixels)
    small = (max(1, int(image.width * share)), max(1, int(image.height * share)))
    coarse = image.resize(small, Image.Resampling.BOX).resize(image.size, Image.Resampling.BOX)
    return np.asarray(coarse, dtype=np.float64) / 255


@CORRUPTIONS.register
def jpeg_compression(pixels: Pixels, level: Level) -> Pixels:
    """Compress as JPEG at a low quality."""
    quality: int = level.of([25, 18, 15, 10, 7], [80, 65, 58, 50, 40])
    buffer = io.BytesIO()
    _as_image(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer), dtype=np.float64) / 255


def _as_image(pixels: Pixels) -> Image.Image:
    return Image.fromarray((pixels * 255).round().astype(np.uint8))
