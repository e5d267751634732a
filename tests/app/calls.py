"""Functions that tests run in the decoder's processes. It imports little, to start fast."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from vecaf.errors import InputError
from vecaf.settings import GIB


def number(value: int) -> bytes:
    return str(value).encode()


def of_its_process() -> bytes:
    return number(os.getpid())


def spin() -> bytes:
    while True:
        pass


def forever(*_: object) -> bytes:
    return spin()


def grow() -> bytes:
    return bytes(2 * GIB)[:1]


def crash() -> bytes:
    os.kill(os.getpid(), signal.SIGSEGV)
    return b""


def complain() -> bytes:
    raise InputError("No.")


def hang(pipe: Path) -> bytes:
    """Send the process id, then wait until the other end of the pipe is closed."""
    with pipe.open("w") as out:
        out.write(f"{os.getpid()}\n")
    with pipe.open() as forever:
        return forever.read().encode()
