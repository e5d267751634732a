"""Convert images that browsers can't show, or that can't be sanitized, to lossless PNG."""

from __future__ import annotations

import importlib.util
import io
from functools import cache

from PIL import Image, ImageOps, features

from vecaf.datasets.import_report import Refused
from vecaf.datasets.sanitize import AVIF, HEIF

_KEPT = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
"""Modes of Pillow that a PNG file stores without loss."""
_TO_COLOR = {"CMYK", "YCbCr", "LAB", "HSV", "RGBX"}
_DEEPEST = 65_535  # the largest value in a PNG file


def check_decoder(kind: str) -> None:
    """Raise Refused if a decoder of this format is not installed."""
    if kind == HEIF and not _heif_decoder():
        raise Refused(
            "it is a HEIC file, which needs the package pillow-heif on the server (pip install "
            "pillow-heif)"
        )
    if kind == AVIF and not features.check("avif"):
        raise Refused("it is an AVIF file, which the installed version of Pillow can't read")


@cache
def _heif_decoder() -> bool:
    if importlib.util.find_spec("pillow_heif") is None:
        return False
    import pillow_heif

    pillow_heif.register_heif_opener()
    return True


def storable(image: Image.Image) -> Image.Image:
    """Return a decoded image upright and in a mode that a PNG file stores without loss.

    Raises Refused for pixels that have no equivalent in a PNG file.
    """
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _KEPT:
        return upright
    if upright.mode in _TO_COLOR:
        color = upright.convert("RGB")
        color.info.pop("icc_profile", None)  # it describes the old colors
        return color
    if upright.mode in ("RGBa", "PA", "La"):
        return upright.convert("LA" if upright.mode == "La" else "RGBA")
    if upright.mode in ("I;16B", "I;16L", "I;16N", "I"):
        whole = upright.convert("I")
        low, high = whole.getextrema()
        if isinstance(low, tuple) or isinstance(high, tuple) or low < 0 or high > _DEEPEST:
            raise Refused("it has 32-bit pixels. Save it with 8 or 16 bits per channel")
        return whole
    raise Refused(
        f"its pixels are of the kind '{upright.mode}'. Save it with 8 or 16 bits per channel"
    )


def as_png(image: Image.Image) -> bytes:
    """Encode an image as PNG, with its color profile and without other metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=image.info.get("icc_profile"))
    return buffer.getvalue()
