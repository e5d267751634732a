"""Random crops and flips of training images."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vecaf.arrays import Floats

SMALLEST = 0.5
"""Smallest area of a crop, as a share of the image. Milder than ImageNet's 0.08, because the
selected images are few and each one matters."""
STRETCH = 4 / 3  # largest aspect ratio of a crop; its inverse is the smallest


def random_views(n: int, rng: np.random.Generator, strength: float = 1.0) -> Floats:
    """Draw a random crop and flip for each of `n` images.

    Parameters
    ----------
    n
        Number of images.
    rng
        Source of randomness.
    strength
        From 0 (the whole image) to 1 (areas from SMALLEST, aspect ratios up to STRETCH, half of the
        images flipped).

    Returns
    -------
    array of shape (n, 2, 3)
        Affine maps for `resample`.

    References
    ----------
    Szegedy et al. 2015, Going Deeper with Convolutions, section 6.
    """
    area = rng.uniform(1 - strength * (1 - SMALLEST), 1.0, n)
    stretch = strength * math.log(STRETCH)
    wide = np.exp(0.5 * rng.uniform(-stretch, stretch, n))
    half = np.stack([np.sqrt(area) * wide, np.sqrt(area) / wide], axis=1).clip(max=1.0)
    center = rng.uniform(-1.0, 1.0, (n, 2)) * (1 - half)
    flip = np.where(rng.random(n) < 0.5 * strength, -1.0, 1.0)
    views = np.zeros((n, 2, 3), dtype=np.float32)
    views[:, 0, 0] = half[:, 0] * flip
    views[:, 1, 1] = half[:, 1]
    views[:, :, 2] = center
    return views


def resample(images: Tensor, views: Floats) -> Tensor:
    """Apply affine maps (n, 2, 3) of the square [−1, 1]² to images (n, 3, s, s)."""
    grid = F.affine_grid(
        torch.from_numpy(views).to(images.device), list(images.shape), align_corners=False
    )
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
