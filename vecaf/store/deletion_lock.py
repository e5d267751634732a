"""A lock that keeps stored files from being deleted while a backup reads them."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from vecaf.errors import UnavailableError
from vecaf.settings import Settings

_NAME = ".block_deletion"


@contextmanager
def block_deletion(settings: Settings) -> Iterator[None]:
    """Keep files from being deleted while the block runs. Several processes can hold this lock."""
    with _opened(settings) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def lock_for_deletion(settings: Settings) -> Iterator[None]:
    """Hold the lock that deleting files requires. Raises UnavailableError during a backup."""
    with _opened(settings) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError(
                "Files can't be deleted while a backup is being made. Try again in a few minutes."
            ) from None
        yield


def _opened(settings: Settings) -> IO[str]:
    """Open the lock file for reading and writing: NFS requires both for the two kinds of lock."""
    return (settings.home / _NAME).open("a+")
