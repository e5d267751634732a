"""One image: checked on its way in, opened as pixels afterwards."""

from __future__ import annotations

import io
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import Transpose

from vecaf.datasets.report import Refused
from vecaf.datasets.sanitize import (
    JPEG,
    PNG,
    TRUNCATED,
    WEBP,
    is_animated_webp,
    sanitize,
    sniff,
)
from vecaf.settings import Limits

EXTENSIONS = {JPEG: ".jpg", PNG: ".png", WEBP: ".webp"}
THUMB_SIDE = 128  # pixels; a smaller image is its own thumbnail
_LARGE_PIXELS, _LARGE_BYTES = 25_000_000, 1 << 25
_one_large = Lock()  # large images are decoded one at a time, so that memory stays flat


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """A file fit to be stored: `content` decodes to exactly the pixels that came in.

    `width` and `height` are as displayed, the orientation applied. `thumb` is a JPEG of at most
    THUMB_SIDE pixels a side, None where the image is no larger itself.
    """

    content: bytes
    extension: str
    width: int
    height: int
    thumb: bytes | None


def check(content: bytes, limits: Limits) -> CheckedImage:
    """Sanitise, then decode `content` fully to be sure that it can be.

    GIF, BMP and animated WebP are stored as the lossless PNG of their first frame. Raises
    Refused with the reason.
    """
    kind = sniff(content)
    orientation = 1
    animated = kind == WEBP and is_animated_webp(content)
    if kind in EXTENSIONS and not animated:
        content, orientation = sanitize(content, kind)
    with _opened(content, kind, limits) as image:
        large = len(content) > _LARGE_BYTES or image.width * image.height > _LARGE_PIXELS
        with _one_large if large else nullcontext():
            try:
                image.load()
                if kind not in EXTENSIONS or animated:
                    content, kind = _as_png(image), PNG
                width, height = image.size
                thumb = None if is_small(width, height) else _thumb(image, orientation)
            except Exception as error:  # a hostile file makes a decoder raise anything
                raise Refused(_reason(error)) from error
    if orientation >= 5:  # a quarter turn
        width, height = height, width
    return CheckedImage(content, EXTENSIONS[kind], width, height, thumb)


def is_small(width: int, height: int) -> bool:
    """Whether an image of this size is its own thumbnail."""
    return max(width, height) <= THUMB_SIDE


def _opened(content: bytes, kind: str, limits: Limits) -> Image.Image:
    """The image with its header read; its size is checked before any pixel is decoded."""
    most = min(limits.max_pixels, Image.MAX_IMAGE_PIXELS or limits.max_pixels)
    try:
        image = Image.open(io.BytesIO(content), formats=[kind])
    except Image.DecompressionBombError as error:
        raise Refused(f"it has more than {most:,} pixels, the limit for one image") from error
    except Exception as error:
        raise Refused(_reason(error)) from error
    if image.width * image.height > most:
        raise Refused(
            f"it has {image.width:,}×{image.height:,} pixels, more than {most:,}, "
            "the limit for one image"
        )
    return image


def _as_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=image.info.get("icc_profile"))
    return buffer.getvalue()


_TURNS = dict(enumerate(
    (Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM,
     Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90),
    start=2,
))  # fmt: skip


def _thumb(image: Image.Image, orientation: int) -> bytes:
    small = flat_rgb(image)
    small.thumbnail((THUMB_SIDE, THUMB_SIDE), reducing_gap=2.0)
    if orientation in _TURNS:
        small = small.transpose(_TURNS[orientation])
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85, comment=b"")  # Pillow would keep the one of a GIF
    return buffer.getvalue()


def flat_rgb(image: Image.Image) -> Image.Image:
    """A decoded image as 8-bit RGB: transparency on white, 16-bit grey scaled; not turned."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion clips it to white
        grey = np.asarray(image).astype(np.float32) / 257
        return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(layered, mask=layered.getchannel("A"))
        return flat
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    """Pillow's complaint as a reason for the report."""
    text = str(error)
    if "truncated" in text or "Truncated" in text or "broken data stream" in text:
        return TRUNCATED
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, UnidentifiedImageError):
        return "it is damaged: its header can't be read"
    return f"it is damaged ({text.rstrip('.') or type(error).__name__})"
