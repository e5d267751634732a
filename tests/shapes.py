"""A small dataset of drawn shapes in three classes that a pretrained model can distinguish."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from vecaf.datasets.pool import Samples
from vecaf.store import TEST, TRAIN, VAL

CLASSES = ("disc", "square", "stripes")
SIDE = 96  # embedded at this size; smaller images would be enlarged to 160


def draw(kind: str, rng: np.random.Generator) -> Image.Image:
    """Draw an image of a class at a random position, in random size and colors, with noise."""
    background, color = (tuple(int(v) for v in rng.integers(0, 256, 3)) for _ in range(2))
    image = Image.new("RGB", (SIDE, SIDE), background)
    pen = ImageDraw.Draw(image)
    left, top = (int(v) for v in rng.integers(2, 14, 2))
    size = int(rng.integers(20, 32))
    if kind == "disc":
        pen.ellipse((left, top, left + size, top + size), fill=color)
    elif kind == "square":
        pen.rectangle((left, top, left + size, top + size), fill=color)
    else:
        for offset in range(0, SIDE, 8):
            pen.line((offset, 0, offset, SIDE), fill=color, width=3)
    noise = rng.normal(0, 8, (SIDE, SIDE, 3))
    pixels = (np.asarray(image) + noise).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels)


def write_shapes(folder: Path, n: int, seed: int = 0) -> list[tuple[Path, int]]:
    """Write `n` images as `<class>/<number>.png`, cycling through the classes.

    Returns (path, label) of each image.
    """
    rng = np.random.default_rng(seed)
    written = []
    for index in range(n):
        label = index % len(CLASSES)
        path = folder / CLASSES[label] / f"{index:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(CLASSES[label], rng).save(path)
        written.append((path, label))
    return written


def make_samples(folder: Path, n: int = 90, captions: bool = False) -> Samples:
    """Return `n` drawn images as samples: 60% train, 20% val, 20% test."""
    files = write_shapes(folder, n)
    splits = [(TRAIN, TRAIN, TRAIN, VAL, TEST)[index // 3 % 5] for index in range(n)]
    return Samples(
        classes=CLASSES,
        ids=np.arange(n, dtype=np.int64) * 7 + 3,  # ids are not positions
        keys=tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path, _ in files),
        paths=tuple(path for path, _ in files),
        splits=np.array(splits),
        labels=np.array([label for _, label in files], dtype=np.int64),
        captions=tuple(f"a drawn {CLASSES[label]}" if captions else None for _, label in files),
        short_sides=np.full(n, SIDE, dtype=np.int64),
        excluded=np.zeros(n, dtype=bool),
    )
