"""Make a thumbnail of a refused file, so that users recognize it in the import report.

The thumbnail is decoded and encoded again; no byte of the refused file is stored or served.
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
_MAX_SCALED = 4  # × the pixel limit; such a JPEG is decoded at an eighth of its size


def refused_thumbnail(content: bytes, limits: Limits) -> bytes | None:
    """Return a JPEG of at most THUMB_SIDE pixels per side, or None if decoding is not safe.

    The readable part of a truncated JPEG is shown. A JPEG above the pixel limit is decoded at an
    eighth of its size, which needs 1/64 of the memory. Files of other formats must be complete.
    """
    try:
        kind = sniff(content)
        image = _scaled(content, limits) if kind == JPEG else None
        image = image or _readable_part(content, kind, limits)
        small = flat_rgb(image)
        small.thumbnail((THUMB_SIDE, THUMB_SIDE))
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=_QUALITY, comment=b"")  # else Pillow copies it
    except Refused:
        return None
    except Exception:  # for a malicious file, a decoder can raise anything
        return None
    return buffer.getvalue()


def _scaled(content: bytes, limits: Limits) -> Image.Image | None:
    """Decode a JPEG with too many pixels at a reduced size; return None if its size is allowed.

    Raises Refused if even that takes too much memory: with several scans, every pixel is decoded.
    """
    image = Image.open(io.BytesIO(content), formats=[JPEG])
    pixels = image.width * image.height
    if pixels <= limits.max_pixels:
        return None
    if pixels > _MAX_SCALED * limits.max_pixels or count_scans(sanitize(content, JPEG)[0]) > 1:
        raise Refused("it is too large for a thumbnail")
    image.draft("RGB", (THUMB_SIDE, THUMB_SIDE))
    if image.width * image.height > limits.max_pixels:
        raise Refused("it is too large for a thumbnail")
    image.load()
    return image


def _readable_part(content: bytes, kind: str, limits: Limits) -> Image.Image:
    """Decode an image; the missing part of a truncated JPEG is gray.

    With an end marker appended, libjpeg treats it as a complete file with too little data.
    (Pillow's LOAD_TRUNCATED_IMAGES would affect all threads.)
    """
    image = open_image(content + _END if kind == JPEG else content, limits, kind)
    image.load()
    return image
