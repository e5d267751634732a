"""Where an import writes before it counts: a private folder, moved into place as one step.

Nothing outside the staging folder changes until `publish`; leaving the block removes the folder.
A lock file in it tells a live import from one that was killed, whose folder is swept away later.
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
from vecaf.files import saying_if_full, sync_file_system
from vecaf.settings import Settings

STAGING = ".staging-"

logger = logging.getLogger(__name__)


class Staging:
    """A context manager around one import's files. Its writes may come from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __enter__(self) -> Staging:
        with saying_if_full():
            self._settings.images.mkdir(parents=True, exist_ok=True)
            self._settings.thumbs.mkdir(parents=True, exist_ok=True)
            with publish_lock(self._settings):  # so that no other import meets it half made
                _sweep(self._settings.images)
                self._folder = Path(tempfile.mkdtemp(prefix=STAGING, dir=self._settings.images))
                self._lock = (self._folder / "lock").open("w")
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            # Flat: a file system makes files faster in one folder than in 256 new ones.
            self._images, self._thumbs = self._folder / "images", self._folder / "thumbs"
            self._images.mkdir()
            self._thumbs.mkdir()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.close()

    def write_thumb(self, sha256: str, thumb: bytes) -> None:
        """Keep a small picture alone: of a file that is refused, named by its own content."""
        with saying_if_full():
            _create(f"{self._thumbs}/{sha256}{THUMB_EXTENSION}", thumb)

    def write(self, sha256: str, extension: str, content: bytes, thumb: bytes | None) -> None:
        """Keep an image and its thumbnail; content that is here already is left alone."""
        with saying_if_full():
            _create(f"{self._images}/{sha256}{extension}", content)
            if thumb is not None:
                _create(f"{self._thumbs}/{sha256}{THUMB_EXTENSION}", thumb)

    @contextmanager
    def publish(self, named: Callable[[list[str]], set[str]]) -> Iterator[None]:
        """Move everything into place, durably, then run the block: it must commit the rows.

        If the block raises, the files that were new are taken away again, but for those of the
        contents (sha256) that `named` says rows name: a commit may have been made although its
        word never came. Imports publish one after the other, so none takes away what another has
        just counted on.
        """
        with saying_if_full(), publish_lock(self._settings):
            sync_file_system(self._folder)
            new: list[str] = []
            try:
                _move(self._images, self._settings.images, new)
                _move(self._thumbs, self._settings.thumbs, new)
                sync_file_system(self._folder)
                yield
            except BaseException:
                _take_back(new, named)
                raise


def _take_back(new: list[str], named: Callable[[list[str]], set[str]]) -> None:
    try:
        kept = named([Path(path).stem for path in new])
    except Exception:  # the database is out of reach: what nobody needs is found by `gc`
        logger.exception("%d new files are left for gc to look at", len(new))
        return
    for path in new:
        if Path(path).stem not in kept:
            Path(path).unlink(missing_ok=True)


def _create(path: str, content: bytes) -> None:
    """Write a new file; one that is there already has the same content, by its name."""
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
    """Rename abcdef….jpg in `source` to ab/abcdef….jpg in `target`.

    Files that were not there before go into `new`. Strings, not paths: there may be a million.
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
    """One publisher at a time, across processes, whichever database is used."""
    with (settings.images / ".publishing").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def abandoned_folders(images: Path) -> Iterator[Path]:
    """The staging folders of imports whose process is gone, each locked while it is looked at."""
    for folder in images.glob(f"{STAGING}*"):
        try:
            with (folder / "lock").open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield folder
        except (FileNotFoundError, BlockingIOError):
            continue  # just taken away, or in use


def _sweep(images: Path) -> None:
    for folder in abandoned_folders(images):
        shutil.rmtree(folder, ignore_errors=True)
