"""Functions that decode image files in a separate process: files in, bytes out."""

from __future__ import annotations

from pathlib import Path

from vecaf.datasets.images import check, make_thumb, open_image, orientation_of
from vecaf.datasets.import_report import Refused
from vecaf.errors import InputError
from vecaf.files import saying_if_full
from vecaf.settings import Limits


def check_file(path: Path, limits: Limits) -> bytes:
    """Check an image file as an import does, and replace it with what an import would store.

    Returns nothing. Raises InputError, with the reason, for a file that an import would refuse,
    UnavailableError where the disk is full.
    """
    try:
        with saying_if_full():
            path.write_bytes(check(path.read_bytes(), limits).content)
    except Refused as reason:
        raise InputError(f"This image can't be used: {reason}.") from reason
    return b""


def thumbnail(path: Path, limits: Limits) -> bytes:
    """A stored image as a small JPEG. Raises InputError for one that can't be opened."""
    try:
        with open_image(path.read_bytes(), limits) as image:
            return make_thumb(image, orientation_of(image))
    except (Refused, OSError, ValueError, SyntaxError) as reason:
        raise InputError(f"This image can't be shown: {reason}.") from reason
