"""A small picture of a file that was refused, so that a person sees which one it was.

It is drawn by our own decoder and encoded anew: no byte of the refused file is ever kept or served.
"""

from __future__ import annotations

import io

from PIL import Image

from vecaf.datasets.images import THUMB_SIDE, flat_rgb
from vecaf.datasets.report import Refused
from vecaf.datasets.sanitize import JPEG, sniff
from vecaf.settings import Limits

_END = b"\xff\xd9"
_QUALITY = 80


def glimpse(content: bytes, limits: Limits) -> bytes | None:
    """A JPEG of at most THUMB_SIDE pixels a side, or None where nothing can be decoded safely.

    A truncated JPEG shows as far as it goes; one with more pixels than the limit is decoded at an
    eighth of its size, which needs a 64th of the memory. Other formats show when they are whole.
    """
    try:
        kind = sniff(content)
        image = _scaled(content, limits) if kind == JPEG else None
        image = image or _begun(content, kind, limits)
        if image is None:
            return None
        small = flat_rgb(image)
        small.thumbnail((THUMB_SIDE, THUMB_SIDE))
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=_QUALITY, comment=b"")  # Pillow would keep its own
    except Refused:
        return None
    except Exception:  # a hostile file makes a decoder raise anything: there is no picture then
        return None
    return buffer.getvalue()


def _scaled(content: bytes, limits: Limits) -> Image.Image | None:
    """A whole JPEG that has too many pixels, decoded small; None for one of a lawful size."""
    image = Image.open(io.BytesIO(content), formats=[JPEG])
    if image.width * image.height <= limits.max_pixels:
        return None
    image.draft("RGB", (THUMB_SIDE, THUMB_SIDE))
    if image.width * image.height > limits.max_pixels:
        return None
    image.load()
    return image


def _begun(content: bytes, kind: str, limits: Limits) -> Image.Image | None:
    """The image; of a JPEG that breaks off, what comes before, and the rest of it grey.

    With an end marker put behind it, libjpeg takes it for a complete file with too little data.
    (Pillow's own switch for that, LOAD_TRUNCATED_IMAGES, holds for every thread at once.)
    """
    whole = content + _END if kind == JPEG else content
    image = Image.open(io.BytesIO(whole), formats=[kind])
    if image.width * image.height > limits.max_pixels:
        return None
    image.load()
    return image
