"""The trash: cleaning up moves files to `trash/<moment>/` and deletes them some days later.

A file keeps its path below the home there, so moving it back restores it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vecaf.files import saying_if_full, size_of
from vecaf.store.models import now

FOLDER = "trash"
KEEP_DAYS = 7
_STAMP = "%Y%m%dT%H%M%S%fZ"


class Trash:
    """The folder for what one command removes; it is created when it is first needed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.folder = home / FOLDER / now().strftime(_STAMP)

    def put(self, path: Path) -> None:
        """Move a file or folder of the home here. Do nothing if it is gone already."""
        to = self.folder / path.relative_to(self._home)
        with suppress(FileNotFoundError), saying_if_full():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, to)  # copies where a part of the home is another file system


def empty_trash(home: Path, *, keep_days: float = KEEP_DAYS) -> int:
    """Delete what has been in the trash for more than `keep_days`; return the bytes freed."""
    freed, due = 0, now() - timedelta(days=keep_days)
    for moment, folder in _folders(home):
        if moment <= due:
            freed += size_of(folder)
            shutil.rmtree(folder)
    return freed


def _folders(home: Path) -> Iterator[tuple[datetime, Path]]:
    """Each folder of the trash and when it was made; what we did not put there is left alone."""
    for folder in sorted((home / FOLDER).glob("*")):
        with suppress(ValueError):
            yield datetime.strptime(folder.name, _STAMP).replace(tzinfo=UTC), folder
