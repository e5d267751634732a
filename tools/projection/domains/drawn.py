"""Domains drawn by hand: cartoons, sketches, paintings."""

from __future__ import annotations

import numpy as np

from tools.projection.domains.domain import domain
from tools.projection.domains.filters import (
    Pixels,
    Rng,
    as_rgb,
    blob,
    blurred,
    clouds,
    contrasted,
    edges,
    flat_background,
    gray,
    guided,
    median_filter,
    mode_filter,
    outlines,
    posterized,
    quantized,
    saturated,
    warped,
)


def _ink(g: Pixels, rng: Rng) -> Pixels:
    """Return dark outlines (h, w); 1 where there is no outline."""
    if rng.random() < 0.35:
        return outlines(
            g, rng.uniform(0.8, 1.6), rng.uniform(4, 12), rng.uniform(0.1, 0.35), rng.uniform(8, 25)
        )
    e = edges(g, rng.uniform(0.8, 2))
    return 1 - rng.uniform(0.6, 1) * ((e - rng.uniform(0.25, 0.5)) * rng.uniform(3, 6)).clip(0, 1)


def _flatten(p: Pixels, rng: Rng, colors: int) -> tuple[Pixels, Pixels]:
    for _ in range(rng.integers(1, 4)):
        p = guided(p, int(rng.integers(2, 8)), rng.uniform(0.003, 0.03))
    q = (
        mode_filter(quantized(p, colors), int(rng.choice([3, 5, 7])))
        if rng.random() < 0.7
        else posterized(median_filter(p, 5), int(rng.integers(4, 10)))
    )
    return p, q


def _repaint(p: Pixels, rng: Rng) -> Pixels:
    p = saturated(contrasted(p, rng.uniform(0.9, 1.3)), rng.uniform(1.1, 2.5)) + rng.uniform(
        -0.03, 0.2
    )
    return p + rng.normal(0, 0.05, 3).astype(np.float32)


@domain(
    "a cartoon of a {}",
    "a comic drawing of a {}",
    "an animated {}",
    "a cartoon {}",
    "an illustration of a {}",
)
def cartoon(p: Pixels, rng: Rng) -> Pixels:
    if rng.random() < 0.5:
        p = warped(p, rng, rng.uniform(0.01, 0.05))
    smooth, q = _flatten(p, rng, int(rng.integers(8, 32)))
    lines = _ink(gray(smooth), rng) if rng.random() < 0.8 else np.ones(p.shape[:2], np.float32)
    q = _repaint(q, rng) * lines[:, :, None]
    return flat_background(q, rng) if rng.random() < 0.35 else q


@domain(
    "clip art of a {}",
    "an emoji of a {}",
    "an icon of a {}",
    "a simple flat drawing of a {}",
    "a vector graphic of a {}",
)
def clipart(p: Pixels, rng: Rng) -> Pixels:
    p = guided(p, int(rng.integers(4, 10)), rng.uniform(0.01, 0.06))
    smooth, q = _flatten(p, rng, int(rng.integers(4, 12)))
    q = _repaint(q, rng)
    if rng.random() < 0.6:
        q = q * _ink(blurred(gray(smooth), 1), rng)[:, :, None]
    return flat_background(q, rng)


@domain(
    "a sketch of a {}",
    "a pencil sketch of a {}",
    "a pencil drawing of a {}",
    "a charcoal drawing of a {}",
    "a drawing of a {}",
)
def sketch(p: Pixels, rng: Rng) -> Pixels:
    g = gray(p)
    s = (g / np.maximum(blurred(g, rng.uniform(2, 8)), 0.02)).clip(0, 1) ** rng.uniform(1, 5)
    s = s + rng.uniform(0, 0.08) * rng.normal(size=s.shape)
    if rng.random() < 0.4:
        s = s * (1 - rng.uniform(0.2, 0.6) * (edges(g, 1)).clip(0, 1))
    if rng.random() < 0.3:
        s = np.where(blob(rng), s, 1)
    return as_rgb(s.astype(np.float32))


@domain(
    "a line drawing of a {}",
    "a black and white line drawing of a {}",
    "line art of a {}",
    "an ink drawing of a {}",
    "an outline of a {}",
    "a doodle of a {}",
)
def line(p: Pixels, rng: Rng) -> Pixels:
    p = guided(p, int(rng.integers(2, 7)), rng.uniform(0.003, 0.03))
    g = gray(p)
    if rng.random() < 0.5:
        s = outlines(
            g, rng.uniform(0.7, 2), rng.uniform(10, 35), rng.uniform(0.3, 0.7), rng.uniform(10, 50)
        )
    else:
        s = 1 - (
            (edges(g, rng.uniform(0.8, 2.2)) - rng.uniform(0.15, 0.4)) * rng.uniform(3, 10)
        ).clip(0, 1)
    if rng.random() < 0.5:
        s = np.where(blob(rng), s, 1)
    return as_rgb(s.astype(np.float32))


@domain(
    "a painting of a {}",
    "an oil painting of a {}",
    "a {} painted on canvas",
    "an acrylic painting of a {}",
    "art of a {}",
)
def painting(p: Pixels, rng: Rng) -> Pixels:
    k = int(rng.choice([5, 7, 9, 11]))
    q = (
        posterized(p, int(rng.integers(8, 20)))
        if rng.random() < 0.5
        else quantized(p, int(rng.integers(24, 64)))
    )
    q = mode_filter(q, k)
    if rng.random() < 0.5:
        q = warped(q, rng, 0.01)
    q = saturated(blurred(q, rng.uniform(0, 0.8)), rng.uniform(0.9, 1.8))
    canvas = 1 + rng.uniform(0, 0.25) * (clouds(rng, 0.6) - 0.5)
    q = q * canvas[:, :, None] + rng.normal(0, 0.04, 3)
    return q.astype(np.float32)


@domain("a watercolor painting of a {}", "a watercolour of a {}")
def watercolour(p: Pixels, rng: Rng) -> Pixels:
    for _ in range(2):
        p = guided(p, int(rng.integers(3, 8)), rng.uniform(0.01, 0.05))
    e = edges(gray(p), 2)
    p = (
        saturated(p, rng.uniform(0.8, 1.6)) * 0.6
        + 0.4
        + rng.uniform(0.1, 0.4) * (clouds(rng, 1.3) - 0.5)[:, :, None]
    )
    return p - rng.uniform(0.1, 0.3) * e[:, :, None].clip(0, 1)
