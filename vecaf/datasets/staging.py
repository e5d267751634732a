"""The private folder that an import writes to, and the step that moves its files into place.

Nothing outside the staging folder changes before `publish`. The folder is deleted when the block
ends. An import locks a file in its folder; unlocked folders were left by killed imports and are
deleted later.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from types import TracebackType

from vecaf.datasets.pool import THUMB_EXTENSION
from vecaf.files import convert_disk_full_errors, sync_file_system
from vecaf.settings import Settings

STAGING = ".staging-"

logger = logging.getLogger(__name__)


class ImageFolder:
    """A folder of images and thumbnails, named by sha256. Several threads can write at once."""

    images: Path
    thumbs: Path

    def create(self, folder: Path) -> None:
        """Create the subfolders. Creating files in one folder is faster than in 256 new ones."""
        self.images, self.thumbs = folder / "images", folder / "thumbs"
        self.images.mkdir(parents=True, exist_ok=True)
        self.thumbs.mkdir(exist_ok=True)

    def write_thumb(self, sha256: str, thumb: bytes) -> None:
        """Write the thumbnail of a refused file; `sha256` is that of the thumbnail."""
        with convert_disk_full_errors():
            _create(f"{self.thumbs}/{sha256}{THUMB_EXTENSION}", thumb)

    def write(self, sha256: str, extension: str, content: bytes, thumb: bytes | None) -> None:
        """Write an image and its thumbnail, unless the folder already has this content."""
        with convert_disk_full_errors():
            _create(f"{self.images}/{sha256}{extension}", content)
            if thumb is not None:
                _create(f"{self.thumbs}/{sha256}{THUMB_EXTENSION}", thumb)


class Staging(ImageFolder):
    """A context manager for the files of one import."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __enter__(self) -> Staging:
        with convert_disk_full_errors():
            self._settings.images.mkdir(parents=True, exist_ok=True)
            self._settings.thumbs.mkdir(parents=True, exist_ok=True)
            with publish_lock(self._settings):  # so that no other import deletes it
                _delete_abandoned(self._settings.images)
                self._folder = Path(tempfile.mkdtemp(prefix=STAGING, dir=self._settings.images))
                self._lock = (self._folder / "lock").open("w")
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            self.create(self._folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.close()

    @contextmanager
    def publish(self, referenced: Callable[[list[str]], set[str]]) -> Iterator[None]:
        """Move all files into place and sync them, then run the block, which commits the rows.

        If the block raises, the new files are deleted, except those that the database references:
        the commit may have succeeded although the connection failed. Imports publish one at a
        time, so that none deletes files that another one uses.

        Parameters
        ----------
        referenced
            Returns those of the given hashes (sha256) that the database references.
        """
        with convert_disk_full_errors(), publish_lock(self._settings):
            sync_file_system(self._folder)
            new: list[str] = []
            try:
                _move(self.images, self._settings.images, new)
                _move(self.thumbs, self._settings.thumbs, new)
                sync_file_system(self._folder)
                yield
            except BaseException:
                _delete_new(new, referenced)
                raise


def _delete_new(new: list[str], referenced: Callable[[list[str]], set[str]]) -> None:
    try:
        kept = referenced([Path(path).stem for path in new])
    except Exception:  # the database is unreachable; `gc` deletes unused files later
        logger.exception("Can't check %d new files. Run gc later to delete unused ones.", len(new))
        return
    for path in new:
        if Path(path).stem not in kept:
            Path(path).unlink(missing_ok=True)


def _create(path: str, content: bytes) -> None:
    """Write a new file. An existing file has the same content, since its name is its hash."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return
    try:
        while content:
            content = content[os.write(handle, content) :]
    finally:
        os.close(handle)


def _move(source: Path, target: Path, new: list[str]) -> None:
    """Move abcdef….jpg in `source` to ab/abcdef….jpg in `target`; append new files to `new`.

    Paths are strings, which are faster than Path objects for a million files.
    """
    names = sorted(os.listdir(source))  # noqa: PTH208
    for prefix, group in groupby(names, key=lambda name: name[:2]):
        folder = f"{target}/{prefix}"
        Path(folder).mkdir(exist_ok=True)
        known = set(os.listdir(folder))  # noqa: PTH208
        for name in group:
            if name not in known:
                new.append(f"{folder}/{name}")
            os.replace(f"{source}/{name}", f"{folder}/{name}")  # noqa: PTH105


@contextmanager
def publish_lock(settings: Settings) -> Iterator[None]:
    """Hold the lock that allows one import at a time, in all processes, to publish files."""
    with (settings.images / ".publishing").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def abandoned_folders(images: Path) -> Iterator[Path]:
    """Yield the staging folders of imports whose process has ended; each is locked while in use."""
    for folder in images.glob(f"{STAGING}*"):
        try:
            with (folder / "lock").open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield folder
        except (FileNotFoundError, BlockingIOError):
            continue  # just deleted, or in use


def _delete_abandoned(images: Path) -> None:
    for folder in abandoned_folders(images):
        shutil.rmtree(folder, ignore_errors=True)
