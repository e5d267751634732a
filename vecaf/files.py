"""Atomic, durable file writes: readers see the old content or the new, never a part of it."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from vecaf.errors import UnavailableError

DISK_FULL = "The disk is full. Free some space and try again. No saved data was lost."
"""The message has no path, since pages show it too."""

ABANDONED_SECONDS = 6 * 3600.0
"""Age from which an unfinished file counts as abandoned. Before that, another process may still be
writing it, or a slow upload may have paused."""

Publishing = Callable[[], AbstractContextManager[object]]
"""Returns a context manager that allows a finished file to appear, or raises if the job's attempt
is outdated."""


@contextmanager
def replacing(
    path: Path, *, durable: bool = True, publishing: Publishing = nullcontext
) -> Iterator[Path]:
    """Yield a temporary path in the same folder; when the block ends, it replaces `path`.

    The replacement is atomic. If the block raises, the temporary file is removed.

    Parameters
    ----------
    durable
        Call fsync. Pass False if the caller syncs many files together.
    publishing
        Returns the context manager in which the file appears. It can refuse by raising.

    Raises
    ------
    UnavailableError
        The disk is full.
    """
    with convert_disk_full_errors():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            if durable:
                _fsync(temporary)
            with publishing():
                temporary.replace(path)
            if durable:
                _fsync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_bytes(
    path: Path, content: bytes, *, durable: bool = True, publishing: Publishing = nullcontext
) -> None:
    """Write `content` to `path` atomically; see `replacing`."""
    with replacing(path, durable=durable, publishing=publishing) as temporary:
        temporary.write_bytes(content)


@contextmanager
def temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a new temporary folder in `parent`; delete it, and what is left in it, at the end.

    Raises UnavailableError if the disk is full.
    """
    with convert_disk_full_errors():
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `folder` when the block ends without an error.

    `folder` must be missing or empty. Raises UnavailableError if the disk is full.
    """
    with temporary_folder(folder.parent, f".{folder.name}.") as built:
        yield built
        if folder.exists():
            folder.rmdir()
        built.chmod(0o755)
        built.replace(folder)


def age(path: Path) -> float:
    """Return the seconds since a file or folder was last changed; 0 if it no longer exists."""
    try:
        return time.time() - path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, sorted. Files that are deleted during this are skipped."""
    for here, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(here, name) for name in sorted(names))


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; 0 if it no longer exists."""
    return sum(map(size_of, walk_files(path))) if path.is_dir() else _bytes(path)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # the file was just deleted, or it is a broken link
        return 0


@contextmanager
def convert_disk_full_errors() -> Iterator[None]:
    """Raise UnavailableError for any error in the block that reports a full disk."""
    try:
        yield
    except Exception as error:
        if is_full(error):
            raise UnavailableError(DISK_FULL) from error
        raise


def is_full(error: Exception) -> bool:
    """Return whether an error reports a full disk or an exceeded quota.

    safetensors wraps the system's message; NumPy reports the number of items not written.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    text = str(error)
    system = any(os.strerror(number) in text for number in (errno.ENOSPC, errno.EDQUOT))
    return system or (isinstance(error, OSError) and _NUMPY_MESSAGE.fullmatch(text) is not None)


_NUMPY_MESSAGE = re.compile(r"\d+ requested and \d+ written")


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Flush the folder's whole file system to disk: faster than one fsync per file."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(handle)
