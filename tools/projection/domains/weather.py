"""Weather and darkness."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from tools.projection.domains.domain import domain
from tools.projection.domains.filters import (
    SIDE,
    Pixels,
    Rng,
    blurred,
    clouds,
    contrasted,
    gray,
    saturated,
    streaks,
)


@domain(
    "a photo of a {} in fog",
    "a {} in thick fog",
    "a photo of a {} in the mist",
    "a hazy photo of a {}",
    "a {} on a foggy day",
)
def fog(p: Pixels, rng: Rng) -> Pixels:
    s = rng.uniform(0.25, 0.9)
    c = clouds(rng, rng.uniform(1, 2.2))
    a = (s * (rng.uniform(0.4, 1) + rng.uniform(0.2, 0.8) * c)).clip(0, 0.95)[:, :, None]
    return np.asarray(blurred(p, rng.uniform(0, 1)) * (1 - a) + a * rng.uniform(0.65, 1))


@domain(
    "a photo of a {} in snow",
    "a {} in falling snow",
    "a {} in a snowstorm",
    "a photo of a {} on a snowy day",
    "a {} in a blizzard",
)
def snow(p: Pixels, rng: Rng) -> Pixels:
    w = rng.uniform(0, 0.45)
    p = p * (1 - w) + w * np.maximum(p, gray(p)[:, :, None] * 1.3 + 0.35)
    ang = rng.uniform(0.3, np.pi - 0.3)
    for _ in range(rng.integers(1, 4)):
        p = p + rng.uniform(0.5, 1.6) * streaks(
            rng, int(rng.uniform(60, 700)), rng.uniform(1, 10), ang, rng.uniform(0.4, 1.6)
        )[:, :, None] * rng.uniform(0.8, 2)
    return p


@domain(
    "a photo of a {} behind frost",
    "a {} covered in frost",
    "a photo of a {} through a frosted window",
    "a frosty photo of a {}",
    "a {} under ice crystals",
)
def frost(p: Pixels, rng: Rng) -> Pixels:
    n = int(rng.uniform(40, 300))
    seeds = np.ones((SIDE, SIDE), bool)
    seeds[rng.integers(0, SIDE, n), rng.integers(0, SIDE, n)] = False
    d = ndimage.distance_transform_edt(seeds)
    d = (d / d.max()).astype(np.float32) ** rng.uniform(1, 2)
    c = clouds(rng, rng.uniform(0.8, 1.8))
    n2 = clouds(rng, rng.uniform(0.3, 0.8))
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    rim = np.maximum(abs(x), abs(y)).astype(np.float32)
    ice = (0.5 * d + 0.3 * c + 0.4 * n2) * (rng.uniform(0.3, 0.9) + 0.6 * rim)
    k = rng.uniform(0.25, 0.9)
    tint = np.array([0.85, 0.95, 1], np.float32)
    return np.asarray(rng.uniform(0.6, 1) * p + k * ice[:, :, None] * tint)


@domain("a photo of a {} in the rain", "a {} in heavy rain", "a {} on a rainy day")
def rain(p: Pixels, rng: Rng) -> Pixels:
    p = contrasted(saturated(p, rng.uniform(0.4, 0.9)), rng.uniform(0.6, 0.9)) * rng.uniform(
        0.6, 0.95
    )
    ang = np.pi / 2 + rng.uniform(-0.4, 0.4)
    return (
        p
        + rng.uniform(0.3, 0.9)
        * streaks(rng, int(rng.uniform(150, 900)), rng.uniform(10, 35), ang, rng.uniform(0.4, 0.8))[
            :, :, None
        ]
    )


@domain("a photo of a {} at night", "a {} by night", "a {} in the moonlight")
def night(p: Pixels, rng: Rng) -> Pixels:
    t = np.array([0.7, 0.8, 1.1], np.float32) ** rng.uniform(0, 1)
    p = (
        saturated(p, rng.uniform(0.3, 1)).clip(0, 1) ** rng.uniform(1, 1.6)
        * rng.uniform(0.12, 0.5)
        * t
    )
    return p + rng.normal(0, rng.uniform(0, 0.04), p.shape).astype(np.float32)


@domain(
    "a dark photo of a {}",
    "a {} in the dark",
    "an underexposed photo of a {}",
    "a photo of a {} in low light",
)
def dark(p: Pixels, rng: Rng) -> Pixels:
    return p ** rng.uniform(1, 1.6) * rng.uniform(0.12, 0.55)
