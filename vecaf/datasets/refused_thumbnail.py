"""A small picture of a file that was refused, so that a person sees which one it was.

It is drawn by our own decoder and encoded anew: no byte of the refused file is ever kept or served.
"""

from __future__ import annotations

import io

from PIL import Image

from vecaf.datasets.images import THUMB_SIDE, flat_rgb, open_image
from vecaf.datasets.import_report import Refused
from vecaf.datasets.sanitize import JPEG, count_scans, sanitize, sniff
from vecaf.settings import Limits

_END = b"\xff\xd9"
_QUALITY = 80
_MOST_SCALED = 4  # times as many pixels as the limit, decoded at an eighth of the size


def glimpse(content: bytes, limits: Limits) -> bytes | None:
    """A JPEG of at most THUMB_SIDE pixels a side, or None where nothing can be decoded safely.

    A truncated JPEG shows as far as it goes; one with more pixels than the limit is decoded at an
    eighth of its size, which needs a 64th of the memory. Other formats show when they are whole.
    """
    try:
        kind = sniff(content)
        image = _scaled(content, limits) if kind == JPEG else None
        image = image or _begun(content, kind, limits)
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
    """A whole JPEG that has too many pixels, decoded small; None for one of an allowed size.

    Raises Refused where even that costs too much: several scans need memory for every pixel.
    """
    image = Image.open(io.BytesIO(content), formats=[JPEG])
    pixels = image.width * image.height
    if pixels <= limits.max_pixels:
        return None
    if pixels > _MOST_SCALED * limits.max_pixels or count_scans(sanitize(content, JPEG)[0]) > 1:
        raise Refused("it is too large for a small picture")
    image.draft("RGB", (THUMB_SIDE, THUMB_SIDE))
    if image.width * image.height > limits.max_pixels:
        raise Refused("it is too large for a small picture")
    image.load()
    return image


def _begun(content: bytes, kind: str, limits: Limits) -> Image.Image:
    """The image; of a JPEG that breaks off, what comes before, and the rest of it gray.

    With an end marker appended, libjpeg takes it for a complete file with too little data.
    (Pillow's own switch for that, LOAD_TRUNCATED_IMAGES, applies to every thread at once.)
    """
    image = open_image(content + _END if kind == JPEG else content, limits, kind)
    image.load()
    return image
