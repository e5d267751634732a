"""Create images and archives in memory."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def pixels(seed: int = 0, side: int = 24, mode: str = "RGB") -> Image.Image:
    """Return an image of a few large random blocks, which compresses well."""
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


def with_scans(count: int, side: int = 24, seed: int = 0) -> bytes:
    """Return a progressive JPEG with `count` scans, by repeating the last scan from Pillow."""
    content = packed(pixels(seed, side), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    repeated = count - content.count(b"\xff\xda")
    return content[:last] + content[last:-2] * (repeated + 1) + content[-2:]


def run_length_bmp(width: int, height: int) -> bytes:
    """Return a run-length encoded BMP (RLE8) that is slow to decode: each run is one pixel."""
    data = (b"\1\5" * width + b"\0\0") * height + b"\0\1"
    start = 14 + 40 + 1024
    return (
        struct.pack("<2sLHHL", b"BM", start + len(data), 0, 0, start)
        + struct.pack("<LllHHLLllLL", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
        + bytes(1024)
        + data
    )


def make_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def photos(*folders: str, each: int = 3, start: int = 0) -> dict[str, bytes]:
    """Return `each` distinct images in every folder."""
    names = [f"{folder}/{i}.jpg" for folder in folders for i in range(each)]
    return {name: jpeg(start + i) for i, name in enumerate(names)}
