"""A real small disk that tests can fill; requires permission to mount."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = 4096


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a file system of this size at the new `folder`, or skip the test."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can't be mounted here; run as root to test a full one")
    try:
        yield folder
    finally:
        # Unmount lazily, since a database connection may still be open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def only(free: int, disk: Path) -> Iterator[None]:
    """Leave only `free` bytes on the disk (whole pages) while the block runs."""
    filler = disk / "filler"
    facts = os.statvfs(disk)
    room = facts.f_bavail * facts.f_frsize
    assert room > free, "the disk is too small for this"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, (room - free) // PAGE * PAGE)
    try:
        yield
    finally:
        filler.unlink()
