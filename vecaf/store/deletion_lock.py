"""A promise that no stored file goes away: backups hold it, whatever deletes files asks for it."""

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
    """While the block runs nothing that a row names is deleted; several may hold it at once."""
    with _opened(settings) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def lock_for_deletion(settings: Settings) -> Iterator[None]:
    """Delete files in the block. Raises UnavailableError while a backup reads them."""
    with _opened(settings) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError(
                "A backup is being made, and until it is done nothing is deleted. "
                "Try again in a few minutes."
            ) from None
        yield


def _opened(settings: Settings) -> IO[str]:
    """For reading and writing: NFS grants a shared lock for the former, another for the latter."""
    return (settings.home / _NAME).open("a+")
