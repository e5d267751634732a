"""A corrupted copy of an image for a page."""

from __future__ import annotations

import io
from pathlib import Path

from vecaf.datasets.images import THUMB_SIDE, flat_rgb, open_image, orientation_of, turned
from vecaf.datasets.import_report import Refused
from vecaf.errors import InputError
from vecaf.evaluation.corruptions.imagenet_c import NATIVE, corrupt
from vecaf.settings import Limits


def corrupted_copy(path: Path, corruption: str, severity: int, limits: Limits) -> bytes:
    """A small WebP of an image, corrupted as in the evaluation.

    Raises InputError for an image that can't be opened, an unknown corruption or severity.
    """
    try:
        with open_image(path.read_bytes(), limits) as image:
            image.draft("RGB", (2 * NATIVE, 2 * NATIVE))  # a JPEG is decoded no larger than needed
            image.load()
            whole = turned(flat_rgb(image), orientation_of(image))
    except (Refused, OSError, ValueError, SyntaxError) as error:
        raise InputError(f"This image can't be shown: {error}.") from error
    copy = corrupt(whole, corruption, severity)
    copy.thumbnail((THUMB_SIDE, THUMB_SIDE))
    buffer = io.BytesIO()
    copy.save(buffer, "WEBP", quality=90)
    return buffer.getvalue()
