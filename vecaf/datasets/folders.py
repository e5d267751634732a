"""Folders on the server that users can import from, below roots that its operator allows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vecaf.datasets.names import looks_like_image
from vecaf.errors import InputError, UnavailableError
from vecaf.settings import Settings

PREFIX = "folder:"
"""Prefix of an import source that is a server folder."""
OFF = (
    "Importing server folders is turned off. To turn it on, start the studio with "
    f"VECAF_FOLDERS=/path/to/images (separate several with '{os.pathsep}')."
)
NOT_ALLOWED = "There is no such folder among the server folders that you can import from."
MAX_LISTED = 500  # subfolders to list
_MAX_ENTRIES = 20_000  # to read of one folder


@dataclass(frozen=True)
class Folder:
    """The direct content of a folder below an allowed root; `images` counts its image files."""

    path: Path
    parent: Path | None  # None for a root
    folders: list[str]
    images: int
    archives: list[str]  # zip files
    more: bool  # whether the listing is incomplete


def allowed_roots(settings: Settings) -> list[Path]:
    """Return the allowed roots that exist, resolved. Raises UnavailableError if there are none."""
    if not settings.folders:
        raise UnavailableError(OFF)
    return [root.resolve() for root in settings.folders if root.is_dir()]


def resolve_allowed(settings: Settings, path: str | Path) -> Path:
    """Return the real path of a folder or file if it is below an allowed root.

    Links are resolved first, so that they can't lead out of the roots.

    Raises
    ------
    InputError
        The path does not exist or is not below an allowed root; the message does not say which.
    UnavailableError
        Importing server folders is turned off.
    """
    known = allowed_roots(settings)
    try:
        real = Path(path).resolve()
        exists = Path(path).is_absolute() and (real.is_dir() or real.is_file())
    except (OSError, ValueError, RuntimeError):  # a NUL, a too long name, circular links
        exists = False
    if not exists or not any(real == root or root in real.parents for root in known):
        raise InputError(NOT_ALLOWED)
    return real


def list_folder(settings: Settings, path: str | Path) -> Folder:
    """List an allowed folder. Raises the errors of `resolve_allowed`."""
    here = resolve_allowed(settings, path)
    if not here.is_dir():
        raise InputError(NOT_ALLOWED)
    folders: list[str] = []
    archives: list[str] = []
    images = count = 0
    try:
        with os.scandir(here) as entries:
            for count, entry in enumerate(islice(entries, _MAX_ENTRIES + 1)):  # noqa: B007
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    images += looks_like_image(entry.name)
                    if entry.name.lower().endswith(".zip"):
                        archives.append(entry.name)
    except OSError as error:
        raise InputError(
            f"{here} can't be read ({error.strerror}). Check its permissions."
        ) from error
    at_root = here in allowed_roots(settings)
    return Folder(
        path=here,
        parent=None if at_root else here.parent,
        folders=sorted(folders)[:MAX_LISTED],
        images=images,
        archives=sorted(archives)[:MAX_LISTED],
        more=count >= _MAX_ENTRIES or max(len(folders), len(archives)) > MAX_LISTED,
    )
