"""Durable files: a reader finds the old content or the new, never a part of it."""

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

DISK_FULL = "The disk is full. Free some space and try again; nothing was lost."
"""One wording everywhere, without a path: pages show it, too."""

ABANDONED_SECONDS = 6 * 3600.0
"""What is half written and untouched for so long is nobody's: another process may write it still,
such as a second studio on this home, and a slow upload may rest."""

Publishing = Callable[[], AbstractContextManager[object]]
"""Makes a context in which the caller may let a file appear: the fence of a job's attempt."""


@contextmanager
def replacing(
    path: Path, *, durable: bool = True, publishing: Publishing = nullcontext
) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path` atomically.

    The temporary file is removed if the block raises. `durable=False` skips the fsync, for
    callers that sync many files at one commit point. The file appears within `publishing()`, which
    may refuse it by raising. A full disk raises UnavailableError.
    """
    with saying_if_full():
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
def building(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `parent` to write in; what has not been moved away by the end is removed.

    A full disk raises UnavailableError.
    """
    with saying_if_full():
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Yield a folder to fill, which becomes `folder`, new or empty so far, when the block ends
    well; otherwise nothing appears. A full disk raises UnavailableError."""
    with building(folder.parent, f".{folder.name}.") as built:
        yield built
        if folder.exists():
            folder.rmdir()
        built.chmod(0o755)
        built.replace(folder)


def age(path: Path) -> float:
    """Seconds since a file or folder was last changed; 0 for one that has gone meanwhile."""
    try:
        return time.time() - path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def walk_files(folder: Path) -> Iterator[Path]:
    """What is no folder below a folder, in order. What vanishes meanwhile is passed over."""
    for here, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(here, name) for name in sorted(names))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; 0 for what has gone meanwhile."""
    return sum(map(size_of, walk_files(path))) if path.is_dir() else _bytes(path)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # its owner cleans up at this moment, or it is a link to nothing
        return 0


@contextmanager
def saying_if_full() -> Iterator[None]:
    """Turn any complaint about a full disk in the block into UnavailableError."""
    try:
        yield
    except Exception as error:
        if is_full(error):
            raise UnavailableError(DISK_FULL) from error
        raise


def is_full(error: Exception) -> bool:
    """Whether an error says that a disk or somebody's share of it is full, in whichever words:
    safetensors wraps the system's, and numpy counts the items that it could not write."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    text = str(error)
    systems = any(os.strerror(number) in text for number in (errno.ENOSPC, errno.EDQUOT))
    return systems or (isinstance(error, OSError) and _NUMPYS.fullmatch(text) is not None)


_NUMPYS = re.compile(r"\d+ requested and \d+ written")


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Bring everything on the folder's file system to the disk: one wait, not one a file."""
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
