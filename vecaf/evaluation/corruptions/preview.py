"""Corrupted copies of images, for display."""

from __future__ import annotations

import io
from pathlib import Path

from vecaf.datasets.images import THUMB_SIDE, flat_rgb, open_image, orientation_of, turned
from vecaf.datasets.import_report import Refused
from vecaf.errors import InputError
from vecaf.evaluation.corruptions.imagenet_c import IMAGENET_SIDE, corrupt
from vecaf.settings import Limits


def corrupted_copy(path: Path, corruption: str, severity: int, limits: Limits) -> bytes:
    """Create a thumbnail of an image, corrupted in the same way as in the evaluation.

    Returns
    -------
    bytes
        A WebP file.

    Raises
    ------
    InputError
        If the image can't be opened, or the corruption or severity is unknown.
    """
    try:
        with open_image(path.read_bytes(), limits) as image:
            # Decode a JPEG at the smallest sufficient size.
            image.draft("RGB", (2 * IMAGENET_SIDE, 2 * IMAGENET_SIDE))
            image.load()
            whole = turned(flat_rgb(image), orientation_of(image))
    except (Refused, OSError, ValueError, SyntaxError) as error:
        raise InputError(f"This image can't be shown: {error}.") from error
    copy = corrupt(whole, corruption, severity)
    copy.thumbnail((THUMB_SIDE, THUMB_SIDE))
    buffer = io.BytesIO()
    copy.save(buffer, "WEBP", quality=90)
    return buffer.getvalue()
