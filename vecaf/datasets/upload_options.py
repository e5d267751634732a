"""How to import an uploaded archive: a JSON file beside it, until the import ends."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from vecaf.datasets.columns import Columns
from vecaf.datasets.formats import ImportOptions
from vecaf.files import write_bytes

SUFFIX = ".json"


def options_file(archive: Path) -> Path:
    """Return the path of the options of an uploaded archive."""
    return archive.with_suffix(SUFFIX)


def save_upload(archive: Path, user_id: int, options: ImportOptions | None = None) -> None:
    """Store who uploaded an archive and how to import it."""
    stored = {"user": user_id, "options": None if options is None else asdict(options)}
    write_bytes(options_file(archive), json.dumps(stored, ensure_ascii=False).encode())


def uploader(archive: Path) -> int | None:
    """Return the user who uploaded an archive; None if it is not stored."""
    try:
        return int(json.loads(options_file(archive).read_bytes())["user"])
    except FileNotFoundError:
        return None


def upload_options(archive: Path) -> ImportOptions | None:
    """Return how to import an archive; None if it is not stored."""
    try:
        options = json.loads(options_file(archive).read_bytes())["options"]
    except FileNotFoundError:
        return None
    if options is None:
        return None
    return ImportOptions(**{**options, "columns": Columns(**options["columns"])})
