"""Pictures and archives for the tests, made in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def pixels(seed: int = 0, side: int = 24, mode: str = "RGB") -> Image.Image:
    """Noise of a few large blocks: distinct by seed, small when packed."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((side, side), Image.Resampling.NEAREST)
    return image if mode == "RGB" else image.convert(mode)


def packed(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(seed: int = 0, side: int = 24) -> bytes:
    return packed(pixels(seed, side))


def make_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def photos(*folders: str, each: int = 3, start: int = 0) -> dict[str, bytes]:
    """`each` distinct pictures in every folder."""
    names = [f"{folder}/{i}.jpg" for folder in folders for i in range(each)]
    return {name: jpeg(start + i) for i, name in enumerate(names)}
