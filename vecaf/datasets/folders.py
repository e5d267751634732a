"""Folders of the machine that the studio runs on: only below the roots that its owner allowed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vecaf.datasets.names import looks_like_image
from vecaf.errors import InputError, UnavailableError
from vecaf.settings import Settings

PREFIX = "folder:"
"""What a source begins with that is checked against the allowed roots when it is imported."""
OFF = (
    "Folders of this machine are not offered. To allow some, start the studio with "
    f"VECAF_FOLDERS=/path/to/images (several parted by '{os.pathsep}')."
)
MOST = 500  # subfolders that a listing shows
_LOOKED_AT = 20_000  # entries of one folder that are looked at


@dataclass(frozen=True)
class Folder:
    """A folder below an allowed root: what is directly in it. `images` counts at most a few."""

    path: Path
    parent: Path | None  # None for a root
    folders: list[str]
    images: int
    archives: list[str]  # zip files
    more: bool  # whether there is more than was listed


def allowed_roots(settings: Settings) -> list[Path]:
    """The allowed roots that exist, resolved. Raises UnavailableError where none is allowed."""
    if not settings.folders:
        raise UnavailableError(OFF)
    return [root.resolve() for root in settings.folders if root.is_dir()]


def resolve_allowed(settings: Settings, path: str | Path) -> Path:
    """The real folder or ZIP file of this name, if it lies below an allowed root.

    Links are followed first, so none leads out. Raises InputError for anything else, whether it
    exists or not, and UnavailableError where no root is allowed.
    """
    known = allowed_roots(settings)
    try:
        real = Path(path).resolve()
        there = Path(path).is_absolute() and (real.is_dir() or real.is_file())
    except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, links in a circle
        there = False
    if not there or not any(real == root or root in real.parents for root in known):
        raise InputError("There is no such folder among those that the studio may import from.")
    return real


def list_folder(settings: Settings, path: str | Path) -> Folder:
    """What an allowed folder holds. Raises as `resolve_allowed` does."""
    here = resolve_allowed(settings, path)
    if not here.is_dir():
        raise InputError("There is no such folder among those that the studio may import from.")
    folders: list[str] = []
    archives: list[str] = []
    images = count = 0
    try:
        with os.scandir(here) as entries:
            for count, entry in enumerate(islice(entries, _LOOKED_AT + 1)):  # noqa: B007
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    images += looks_like_image(entry.name)
                    if entry.name.lower().endswith(".zip"):
                        archives.append(entry.name)
    except OSError as error:
        raise InputError(f"{here} can't be read ({error.strerror}).") from error
    at_root = here in allowed_roots(settings)
    return Folder(
        path=here,
        parent=None if at_root else here.parent,
        folders=sorted(folders)[:MOST],
        images=images,
        archives=sorted(archives)[:MOST],
        more=count >= _LOOKED_AT or max(len(folders), len(archives)) > MOST,
    )
