"""The trash: cleanup moves files to `trash/<time>/` and deletes them some days later.

In the trash, a file keeps its path relative to the data folder. To restore it, move it back.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vecaf.files import convert_disk_full_errors, size_of
from vecaf.store.models import now

FOLDER = "trash"
KEEP_DAYS = 7
_STAMP = "%Y%m%dT%H%M%S%fZ"


class Trash:
    """The folder for the files that one command removes; it is created when first needed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.folder = home / FOLDER / now().strftime(_STAMP)

    def put(self, path: Path) -> None:
        """Move a file or folder to the trash. Do nothing if it no longer exists."""
        to = self.folder / path.relative_to(self._home)
        with suppress(FileNotFoundError), convert_disk_full_errors():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, to)  # copies between file systems


def empty_trash(home: Path, *, keep_days: float = KEEP_DAYS) -> int:
    """Delete files that have been in the trash for `keep_days`; return the bytes freed."""
    freed, due = 0, now() - timedelta(days=keep_days)
    for moment, folder in _folders(home):
        if moment <= due:
            freed += size_of(folder)
            shutil.rmtree(folder)
    return freed


def _folders(home: Path) -> Iterator[tuple[datetime, Path]]:
    """Yield the trash's folders with their times; other files in the trash are ignored."""
    for folder in sorted((home / FOLDER).glob("*")):
        with suppress(ValueError):
            yield datetime.strptime(folder.name, _STAMP).replace(tzinfo=UTC), folder
