"""Image filters on arrays with values from 0 to 1, from which the domains are made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

Pixels = NDArray[np.floating[Any]]  # (224, 224, 3), or (224, 224) for a plane
Rng = np.random.Generator

SIDE = 224
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def to_image(p: Pixels) -> Image.Image:
    """Convert pixels to an image; values outside 0 to 1 are clipped."""
    return Image.fromarray((p.clip(0, 1) * 255 + 0.5).astype(np.uint8))


def to_pixels(i: Image.Image) -> Pixels:
    """Convert an image to pixels from 0 to 1."""
    return np.asarray(i, np.float32) / np.float32(255)


def gray(p: Pixels) -> Pixels:
    """Compute the luminance (h, w) of pixels (h, w, 3)."""
    return p @ LUMA


def as_rgb(g: Pixels) -> Pixels:
    """Repeat a plane (h, w) for three channels."""
    return np.repeat(g[:, :, None], 3, axis=2)


def blurred(p: Pixels, s: float) -> Pixels:
    """Apply a Gaussian blur; s is in pixels."""
    if s <= 0:
        return p
    return np.asarray(ndimage.gaussian_filter(p, (s, s, 0) if p.ndim == 3 else s, truncate=3))


def box(p: Pixels, r: int) -> Pixels:
    """Average over squares with sides of 2r + 1 pixels."""
    width = 2 * r + 1
    return np.asarray(ndimage.uniform_filter(p, (width, width, 1) if p.ndim == 3 else width))


def guided(p: Pixels, r: int, eps: float) -> Pixels:
    """Smooth, but keep edges: the guided filter of He, Sun & Tang 2010, guided by luminance."""
    g = gray(p)[:, :, None]
    m = box(g, r)
    var = box(g * g, r) - m * m
    mp = box(p, r)
    cov = box(g * p, r) - m * mp
    a = cov / (var + eps)
    b = mp - a * m
    return box(a, r) * g + box(b, r)


def saturated(p: Pixels, by: float) -> Pixels:
    """Make colors stronger (above 1) or weaker (below 1)."""
    g = gray(p)[:, :, None]
    return g + by * (p - g)


def contrasted(p: Pixels, by: float, about: float | None = None) -> Pixels:
    """Change the contrast around a value, by default the mean."""
    m = p.mean() if about is None else about
    return m + by * (p - m)


def quantized(p: Pixels, k: int) -> Pixels:
    """Reduce the image to k colors by median cut."""
    return to_pixels(
        to_image(p)
        .quantize(k, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        .convert("RGB")
    )


def posterized(p: Pixels, k: int) -> Pixels:
    """Reduce each channel to k levels."""
    return np.round(p * (k - 1)) / (k - 1)


def mode_filter(p: Pixels, k: int) -> Pixels:
    """Replace each pixel by the most frequent value around it, which gives flat patches."""
    return to_pixels(to_image(p).filter(ImageFilter.ModeFilter(k)))


def median_filter(p: Pixels, k: int) -> Pixels:
    """Replace each pixel by the median of k × k pixels."""
    return to_pixels(to_image(p).filter(ImageFilter.MedianFilter(k)))


def outlines(g: Pixels, sigma: float, sharp: float, eps: float, steep: float) -> Pixels:
    """Draw dark lines by a thresholded difference of Gaussians (XDoG, Winnemöller et al. 2012)."""
    d = blurred(g, sigma) * (1 + sharp) - sharp * blurred(g, 1.6 * sigma)
    return np.where(d >= eps, 1.0, 1 + np.tanh(steep * (d - eps))).astype(np.float32)


def edges(g: Pixels, sigma: float) -> Pixels:
    """Compute the strength of edges; 1 is the 99th percentile."""
    s = blurred(g, sigma)
    e = np.hypot(ndimage.sobel(s, 0), ndimage.sobel(s, 1))
    return np.asarray(e / max(np.percentile(e, 99), 1e-3))


def clouds(rng: Rng, beta: float) -> Pixels:
    """Draw noise (224, 224) from 0 to 1 with amplitudes of 1 / frequency^beta."""
    f = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    f[0, 0] = 1
    z = np.fft.irfft2(
        (rng.normal(size=f.shape) + 1j * rng.normal(size=f.shape)) / f**beta, (SIDE, SIDE)
    )
    z -= z.min()
    z /= z.max()
    return z.astype(np.float32)


def blob(rng: Rng) -> NDArray[np.bool_]:
    """Draw a random shape around the center."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
    r = np.hypot(
        (x - rng.normal(0, 0.1)) / rng.uniform(0.55, 0.95),
        (y - rng.normal(0, 0.1)) / rng.uniform(0.55, 0.95),
    )
    return np.asarray(r + 0.5 * (clouds(rng, 1.8) - 0.5) < 1)


def warped(p: Pixels, rng: Rng, amount: float) -> Pixels:
    """Bend the image smoothly by about `amount` of its side."""
    d = [ndimage.zoom(rng.normal(0, amount * SIDE, (5, 5)), SIDE / 5, order=3) for _ in range(2)]
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    return np.stack(
        [
            ndimage.map_coordinates(p[:, :, c], [y + d[0], x + d[1]], order=1, mode="reflect")
            for c in range(3)
        ],
        -1,
    ).astype(np.float32)


def streaks(rng: Rng, n: int, length: float, angle: float, width: float) -> Pixels:
    """Draw n short lines at an angle."""
    g = np.zeros((SIDE, SIDE), np.float32)
    g[rng.integers(0, SIDE, n), rng.integers(0, SIDE, n)] = 1
    out = np.zeros_like(g)
    for t in np.linspace(-length / 2, length / 2, max(3, int(length))):
        out += np.roll(g, (round(t * np.sin(angle)), round(t * np.cos(angle))), (0, 1))
    return blurred(out.clip(0, 1), width)


def flat_background(p: Pixels, rng: Rng) -> Pixels:
    """Fill the area outside a random shape with one color, as drawings often do."""
    keep = blob(rng)
    color = np.ones(3, np.float32) if rng.random() < 0.7 else rng.random(3).astype(np.float32)
    return np.where(keep[:, :, None], p, color)
