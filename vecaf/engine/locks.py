"""Locks that the operating system drops with the process, so that none is ever stale."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import time
from pathlib import Path
from types import TracebackType


class FileLock:
    """An exclusive lock on a file that names its holder; it ends with `release` or the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; False if another process (or lock object) holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        if not _is_at(descriptor, self.path):  # its last holder removed the file meanwhile
            os.close(descriptor)
            return self.acquire()
        os.ftruncate(descriptor, 0)
        try:
            os.write(descriptor, f"{os.getpid()} {socket.gethostname()}".encode())
        except OSError:  # a full disk
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def acquire_from_orphan(self, patience: float) -> bool:
        """Take the lock; whoever on this host still holds it after `patience` seconds is killed.

        For processes that ought to be gone with their worker. As long as the lock is held its
        holder lives, so the process id in the file cannot have passed to another process. False if
        the holder is on another host or will not die.
        """
        if self._wait(patience):
            return True
        pid, host = self.holder()
        if pid is None or host != socket.gethostname():
            return False
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            os.killpg(pid, signal.SIGKILL)
        return self._wait(patience)

    def holder(self) -> tuple[int | None, str]:
        """Process id and host of the last process that took the lock, as far as the file says."""
        words = self.path.read_text().split() if self.path.exists() else []
        return (int(words[0]), words[1]) if len(words) == 2 else (None, "")

    def release(self, *, remove: bool = False) -> None:
        """Give the lock back; with `remove` its file goes too."""
        if self._descriptor is not None:
            if remove:
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self.acquire():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (mine.st_dev, mine.st_ino) == (found.st_dev, found.st_ino)
