"""Functions that the decoder process runs: they read an image file and return bytes."""

from __future__ import annotations

from pathlib import Path

from vecaf.datasets.images import check, make_thumb, open_image, orientation_of
from vecaf.datasets.import_report import Refused
from vecaf.errors import InputError
from vecaf.files import convert_disk_full_errors
from vecaf.settings import Limits


def check_file(path: Path, limits: Limits) -> bytes:
    """Check an image file as an import does, and overwrite it with the sanitized image.

    Returns empty bytes. Raises InputError, with the reason, for a file that an import would refuse,
    and UnavailableError if the disk is full.
    """
    try:
        with convert_disk_full_errors():
            path.write_bytes(check(path.read_bytes(), limits).content)
    except Refused as reason:
        raise InputError(f"This image can't be used: {reason}.") from reason
    return b""


def thumbnail(path: Path, limits: Limits) -> bytes:
    """Return the thumbnail of an image file as JPEG. Raises InputError if it can't be opened."""
    try:
        with open_image(path.read_bytes(), limits) as image:
            return make_thumb(image, orientation_of(image))
    except (Refused, OSError, ValueError, SyntaxError) as reason:
        raise InputError(f"This image can't be shown: {reason}.") from reason
