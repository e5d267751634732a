"""File locks that the operating system releases when the process exits."""

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
    """An exclusive lock on a file. The file contains the process id and host of the holder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Acquire the lock if it is free; return False if another process or object holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        if not _is_at(descriptor, self.path):  # the last holder has removed the file
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

    def acquire_from_orphan(self, seconds: float) -> bool:
        """Acquire the lock; kill a holder on this host that does not release it in time.

        Use it where the holder should have exited with its worker. While the lock is held, its
        holder is alive, so the process id in the file is not reused. Returns False if the holder is
        on another host or does not exit.
        """
        if self._wait(seconds):
            return True
        pid, host = self.holder()
        if pid is None or host != socket.gethostname():
            return False
        with contextlib.suppress(ProcessLookupError):  # it has just exited
            os.killpg(pid, signal.SIGKILL)
        return self._wait(seconds)

    def holder(self) -> tuple[int | None, str]:
        """Read the process id and the host of the last holder; (None, "") if unknown."""
        words = self.path.read_text().split() if self.path.exists() else []
        return (int(words[0]), words[1]) if len(words) == 2 else (None, "")

    def release(self, *, remove: bool = False) -> None:
        """Release the lock, and delete its file if `remove`."""
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
