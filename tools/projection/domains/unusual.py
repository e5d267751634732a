"""Unusual styles, which add to the domains that words can describe."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from tools.projection.domains.domain import domain
from tools.projection.domains.filters import (
    SIDE,
    Pixels,
    Rng,
    as_rgb,
    blob,
    blurred,
    contrasted,
    gray,
    saturated,
)


@domain("a silhouette of a {}", "the shadow of a {}")
def silhouette(p: Pixels, rng: Rng) -> Pixels:
    g = blurred(gray(p), 3)
    m = g < np.percentile(g, rng.uniform(30, 60))
    if rng.random() < 0.6:
        m &= blob(rng)
    return np.where(m[:, :, None], 0.03, rng.uniform(0.8, 1)).astype(np.float32) + 0 * p


@domain("a negative of a {}", "a photo of a {} in inverted colors")
def negative(p: Pixels, rng: Rng) -> Pixels:
    return 1 - p


@domain("a mosaic of a {}", "stained glass of a {}")
def mosaic(p: Pixels, rng: Rng) -> Pixels:
    n = int(rng.integers(150, 900))
    s = np.ones((SIDE, SIDE), bool)
    ys, xs = rng.integers(0, SIDE, n), rng.integers(0, SIDE, n)
    s[ys, xs] = False
    _, (iy, ix) = ndimage.distance_transform_edt(s, return_indices=True)
    q = blurred(p, 2)[iy, ix]
    lab = iy * SIDE + ix
    e = (lab != np.roll(lab, 1, 0)) | (lab != np.roll(lab, 1, 1))
    return np.where(
        (e & (rng.random() < 0.7))[:, :, None], rng.uniform(0, 0.3), saturated(q, 1.4)
    ).astype(np.float32)


@domain("an engraving of a {}", "a woodcut of a {}")
def engraving(p: Pixels, rng: Rng) -> Pixels:
    g = contrasted(gray(p), 1.3)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    a = rng.uniform(0, np.pi)
    f = rng.uniform(0.8, 1.8)
    w = 0.5 + 0.5 * np.sin(f * (x * np.cos(a) + y * np.sin(a)) + 3 * g)
    return as_rgb((g * 1.2 > w * rng.uniform(0.8, 1)).astype(np.float32))


@domain("a photo of a {} under water")
def underwater(p: Pixels, rng: Rng) -> Pixels:
    c = np.array([0.15, 0.5, 0.65], np.float32)
    a = rng.uniform(0.3, 0.7)
    return blurred(p, 1) * (1 - a) * np.array([0.6, 1, 1.1], np.float32) + a * c


@domain("a photo of a {} at sunset", "a {} in warm evening light")
def sunset(p: Pixels, rng: Rng) -> Pixels:
    return contrasted(p, 1.1) * np.array([1.2, 0.8, 0.5], np.float32) * rng.uniform(
        0.6, 1
    ) + np.array([0.12, 0.03, 0], np.float32)
