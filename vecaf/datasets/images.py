"""Check and sanitize an uploaded image, open a stored one, and make thumbnails."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import Transpose

from vecaf.datasets.conversion import as_png, check_decoder, storable
from vecaf.datasets.import_report import Refused
from vecaf.datasets.sanitize import (
    BMP,
    JPEG,
    ORIENTATION,
    PNG,
    TRUNCATED,
    WEBP,
    count_scans,
    is_animated_webp,
    sanitize,
    sniff,
)
from vecaf.settings import Limits

EXTENSIONS = {JPEG: ".jpg", PNG: ".png", WEBP: ".webp"}
THUMB_SIDE = 128  # pixels; smaller images need no thumbnail
_RUN_LENGTH, _RUN_LENGTH_PIXELS = (1, 2), 8_000_000  # Pillow decodes these BMPs in slow Python
_LARGE_PIXELS, _LARGE_BYTES = 25_000_000, 1 << 25


class LargeImage(Exception):  # noqa: N818 (not an error: the import decodes it later)
    """Decoding the image takes much memory."""


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """An image to store; `content` decodes to exactly the uploaded pixels.

    `width` and `height` take the EXIF orientation into account. `thumb` is a JPEG of at most
    THUMB_SIDE pixels per side, or None if the image is not larger.
    """

    content: bytes
    extension: str
    width: int
    height: int
    thumb: bytes | None


def check(content: bytes, limits: Limits, *, large: bool = True) -> CheckedImage:
    """Sanitize an image and decode it completely, to make sure that it is valid.

    GIF, BMP, TIFF, HEIC, AVIF and animated WebP are stored as a lossless PNG of their first frame,
    which every browser can show. Raises Refused with the reason, and LargeImage for a large image
    unless `large` is set.
    """
    kind = sniff(content)
    orientation = 1
    animated = kind == WEBP and is_animated_webp(content)
    if kind in EXTENSIONS and not animated:
        content, orientation = sanitize(content, kind)
    with open_image(content, limits, kind) as image:
        pixels = image.width * image.height
        if not large and (len(content) > _LARGE_BYTES or pixels > _LARGE_PIXELS):
            raise LargeImage
        try:
            image.load()
            shown = image
            if kind not in EXTENSIONS or animated:
                shown = storable(image)
                content, kind = as_png(shown), PNG
            width, height = shown.size
            thumb = None if is_small(width, height) else make_thumb(shown, orientation)
        except Refused:
            raise
        except Exception as error:  # for a malicious file, a decoder can raise anything
            raise Refused(_reason(error)) from error
    if orientation >= 5:  # rotated by 90 degrees
        width, height = height, width
    return CheckedImage(content, EXTENSIONS[kind], width, height, thumb)


def is_small(width: int, height: int) -> bool:
    """Return whether an image of this size needs no thumbnail."""
    return max(width, height) <= THUMB_SIDE


def open_image(content: bytes, limits: Limits, kind: str | None = None) -> Image.Image:
    """Open an image and read its header, without decoding its pixels.

    All code that decodes uploaded files uses this function, so that all of it applies the same
    limits. `kind` is the format (default: the result of `sniff`). Raises Refused if the file is
    damaged or decoding it would take too much time or memory.
    """
    kind = kind or sniff(content)
    check_decoder(kind)
    try:
        image = Image.open(io.BytesIO(content), formats=[kind])
    except Image.DecompressionBombError as error:
        most = _max_pixels(limits)
        raise Refused(f"it has more than {most:,} pixels, the limit for one image") from error
    except Exception as error:  # for a malicious file, a decoder can raise anything
        raise Refused(_reason(error)) from error
    _check_size(image, limits)
    if kind == JPEG:
        _check_scans(image, count_scans(content), limits)
    run_length = kind == BMP and image.info.get("compression") in _RUN_LENGTH
    if run_length and image.width * image.height > _RUN_LENGTH_PIXELS:
        raise Refused(
            f"it is a run-length encoded BMP with more than {_RUN_LENGTH_PIXELS:,} pixels. "
            "Save it as PNG"
        )
    return image


def _max_pixels(limits: Limits) -> int:
    return min(limits.max_pixels, Image.MAX_IMAGE_PIXELS or limits.max_pixels)


def _check_size(image: Image.Image, limits: Limits) -> None:
    width, height, most = image.width, image.height, _max_pixels(limits)
    if width * height > most:
        raise Refused(
            f"it has {width:,}×{height:,} pixels, more than {most:,}, the limit for one image"
        )
    if max(width, height) > limits.max_aspect * min(width, height):
        raise Refused(
            f"it has {width:,}×{height:,} pixels; its longer side can be at most "
            f"{limits.max_aspect:,} times its shorter side"
        )


def _check_scans(image: Image.Image, scans: int, limits: Limits) -> None:
    if scans > limits.max_scans:
        raise Refused(
            f"it is a JPEG with {scans:,} scans, more than {limits.max_scans:,}, "
            "the limit for one image"
        )
    if scans > 1 and scans * image.width * image.height > limits.max_scanned_pixels:
        raise Refused(
            f"it is a JPEG with {scans:,} scans of {image.width:,}×{image.height:,} pixels each; "
            f"all scans together can have at most {limits.max_scanned_pixels:,} pixels"
        )


_TURNS = dict(enumerate(
    (Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM,
     Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90),
    start=2,
))  # fmt: skip


def make_thumb(image: Image.Image, orientation: int) -> bytes:
    """Return a JPEG of at most THUMB_SIDE pixels per side, upright.

    `orientation` is the EXIF orientation of `image`, 1 to 8.
    """
    small = flat_rgb(image)
    small.thumbnail((THUMB_SIDE, THUMB_SIDE), reducing_gap=2.0)
    small = turned(small, orientation)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85, comment=b"")  # else Pillow copies that of a GIF
    return buffer.getvalue()


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Rotate or flip an image upright; `orientation` is its EXIF orientation, 1 to 8."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation of a stored image; 1 if it has none."""
    return int(image.getexif().get(ORIENTATION, 1))


def flat_rgb(image: Image.Image) -> Image.Image:
    """Convert a decoded image to 8-bit RGB: white below transparency, 16-bit gray scaled to 8 bits.

    The EXIF orientation is not applied.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16-bit gray, which Pillow's own conversion clips to white
        gray = np.asarray(image).astype(np.float32) / 257
        return Image.fromarray(gray.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(layered, mask=layered.getchannel("A"))
        return flat
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    """Return the reason for the import report, given Pillow's error."""
    text = str(error)
    if "truncated" in text or "Truncated" in text or "broken data stream" in text:
        return TRUNCATED
    if isinstance(error, MemoryError):
        return "decoding it needs more memory than is available"
    if isinstance(error, UnidentifiedImageError):
        return "it is damaged: its header can't be read"
    return f"it is damaged ({text.rstrip('.') or type(error).__name__})"
