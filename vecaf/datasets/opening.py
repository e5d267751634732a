"""Open the source of an import: a ZIP file, a folder, or a single file such as a Parquet file."""

from __future__ import annotations

from pathlib import Path

from vecaf.datasets.archive import Container, ZipSource
from vecaf.datasets.folder_source import FolderSource
from vecaf.datasets.names import looks_like_image
from vecaf.errors import InputError
from vecaf.settings import Limits

CONTAINERS = (".parquet", ".arrow", ".tar", ".tar.gz", ".tgz")
"""Endings of files that contain images."""
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
"""Endings of files that list the images in the same folder."""


def open_source(path: Path, limits: Limits) -> Container:
    """Open a source. Raises InputError if it can't be imported or exceeds a limit."""
    if path.is_dir():
        return FolderSource(path, limits)
    if not path.is_file():
        raise InputError(f"There is no file or folder {path}. Check the path.")
    name = path.name.lower()
    if name.endswith(CONTAINERS):
        return FolderSource(path.parent, limits, only=path.name)
    if name.endswith(TABLES):
        source = FolderSource(path.parent, limits)
        source.members = [
            one for one in source.members if one.key == path.resolve() or looks_like_image(one.name)
        ]
        source.refused, source.passed_over = [], 0
        return source
    return ZipSource(path, limits)
