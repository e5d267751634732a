"""Effects of cameras and file formats."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tools.projection.domains.domain import domain
from tools.projection.domains.filters import (
    SIDE,
    Pixels,
    Rng,
    as_rgb,
    blurred,
    contrasted,
    gray,
    to_image,
    to_pixels,
)


@domain(
    "a bright photo of a {}",
    "an overexposed photo of a {}",
    "a {} in bright light",
    "a photo of a {} in glaring sunlight",
    "a very bright picture of a {}",
)
def bright(p: Pixels, rng: Rng) -> Pixels:
    if rng.random() < 0.5:
        return p + rng.uniform(0.12, 0.55)
    return (p * rng.uniform(1.3, 2.4)) ** rng.uniform(0.6, 1)


@domain(
    "a low contrast photo of a {}",
    "a photo of a {} with low contrast",
    "a faded photo of a {}",
    "a dull, flat photo of a {}",
    "a washed out photo of a {}",
)
def lowcontrast(p: Pixels, rng: Rng) -> Pixels:
    m = p.mean() if rng.random() < 0.6 else rng.uniform(0.3, 0.7)
    return contrasted(p, rng.uniform(0.08, 0.55), m)


@domain("a high contrast photo of a {}", "a photo of a {} with harsh contrast")
def highcontrast(p: Pixels, rng: Rng) -> Pixels:
    return contrasted(p, rng.uniform(1.4, 2.5))


@domain(
    "a blurry photo of a {}",
    "a {} out of focus",
    "a blurred photo of a {}",
    "an unsharp picture of a {}",
)
def defocus(p: Pixels, rng: Rng) -> Pixels:
    return blurred(p, rng.uniform(1.5, 6))


@domain("a {} in motion blur", "a photo of a moving {}", "a shaky photo of a {}")
def motion(p: Pixels, rng: Rng) -> Pixels:
    L = rng.uniform(8, 32)
    a = rng.uniform(0, np.pi)
    out = np.zeros_like(p)
    ts = np.linspace(-L / 2, L / 2, int(L))
    for t in ts:
        out += np.roll(p, (round(t * np.sin(a)), round(t * np.cos(a))), (0, 1))
    return out / len(ts)


@domain("a noisy photo of a {}", "a grainy photo of a {}", "a photo of a {} with noise")
def noise(p: Pixels, rng: Rng) -> Pixels:
    s = rng.uniform(0.06, 0.35)
    u = rng.random()
    if u < 0.5:
        return p + rng.normal(0, s, p.shape).astype(np.float32)
    if u < 0.75:
        return p + s * rng.normal(size=p.shape[:2]).astype(np.float32)[:, :, None]
    d = rng.random(p.shape)
    return np.where(d < s / 4, 0, np.where(d > 1 - s / 4, 1, p)).astype(np.float32)


@domain(
    "a low resolution photo of a {}",
    "a pixelated photo of a {}",
    "a tiny photo of a {}",
    "a thumbnail of a {}",
)
def lowres(p: Pixels, rng: Rng) -> Pixels:
    n = int(rng.choice([16, 24, 32, 32, 32, 40, 48, 64]))
    i = to_image(p).resize(
        (n, n), Image.Resampling.BICUBIC if rng.random() < 0.5 else Image.Resampling.BOX
    )
    return to_pixels(
        i.resize(
            (SIDE, SIDE),
            Image.Resampling.BICUBIC if rng.random() < 0.6 else Image.Resampling.NEAREST,
        )
    )


@domain(
    "a black and white photo of a {}", "a greyscale photo of a {}", "a monochrome photo of a {}"
)
def blackwhite(p: Pixels, rng: Rng) -> Pixels:
    return contrasted(as_rgb(gray(p)), rng.uniform(0.8, 1.4))


@domain("an old photo of a {}", "a sepia photo of a {}", "a vintage photo of a {}")
def sepia(p: Pixels, rng: Rng) -> Pixels:
    g = gray(p)[:, :, None] * rng.uniform(0.7, 1) + rng.uniform(0, 0.15)
    return g * np.array([1.05, 0.85, 0.6], np.float32) + rng.uniform(0, 0.06) * rng.normal(
        size=p.shape[:2]
    )[:, :, None].astype(np.float32)


@domain("a heavily compressed photo of a {}", "a photo of a {} with jpeg artifacts")
def jpeg(p: Pixels, rng: Rng) -> Pixels:
    b = io.BytesIO()
    to_image(p).save(b, "JPEG", quality=int(rng.integers(4, 22)))
    return to_pixels(Image.open(b))
