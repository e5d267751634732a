"""Functions that the decoder process runs: they read an uploaded file and return bytes."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from vecaf.datasets.columns import Columns
from vecaf.datasets.formats import Contents, ImportOptions, Preview, format_of
from vecaf.datasets.formats.table import guessed
from vecaf.datasets.images import check, make_thumb, open_image, orientation_of
from vecaf.datasets.import_report import Refused
from vecaf.datasets.opening import open_source
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


def preview_upload(path: Path, limits: Limits, scratch: Path) -> bytes:
    """Return the format, the columns and the first rows of an archive as JSON.

    `guess` has the columns that the import uses unless others are chosen. `scratch` is a folder for
    files, which the caller deletes. Raises InputError for an archive that can't be imported.
    """
    with closing(open_source(path, limits)) as source:
        contents = Contents(source, ImportOptions(), limits, scratch)
        found = format_of(contents)
        preview = Preview([]) if found.preview is None else found.preview(contents)
    guess = guessed(Columns(preview.images), list(preview.columns))
    answer = {"format": found.name, "title": found.title, "guess": asdict(guess)}
    return json.dumps(answer | asdict(preview), ensure_ascii=False).encode()
