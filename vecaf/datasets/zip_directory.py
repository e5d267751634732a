"""Count the entries in a ZIP archive's central directory before `zipfile` loads them.

`zipfile` creates an object for each entry, so a malicious archive could use up the memory. For the
format of the records, see PKWARE's APPNOTE 6.3, sections 4.3.12 to 4.3.16.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from vecaf.errors import InputError
from vecaf.settings import Limits

_END, _END_BYTES = b"PK\x05\x06", 22
_END64, _END64_BYTES = b"PK\x06\x06", 56
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_ENTRY, _ENTRY_BYTES = b"PK\x01\x02", 46
_MAX_COMMENT = 65_535


def check_zip_directory(path: Path, limits: Limits) -> None:
    """Raise InputError if `path` is not a ZIP archive, is empty, or exceeds a limit.

    The entries are counted, since the count in the archive's end record may be wrong.
    """
    size = path.stat().st_size
    if size > limits.max_archive_bytes:
        raise InputError(
            f"{path.name} is larger than {limits.max_archive_bytes / 2**30:g} GiB, the limit for "
            "one archive (VECAF_MAX_ARCHIVE_BYTES). Split it, or raise the limit."
        )
    if size < _END_BYTES:
        raise InputError(_not_a_zip(path))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start, end = _directory(data, path)
        count = 0
        while start + _ENTRY_BYTES <= end and data[start : start + 4] == _ENTRY:
            start += _ENTRY_BYTES + sum(struct.unpack_from("<3H", data, start + 28))
            count += 1
            if count > limits.max_members:
                raise InputError(too_many_files(path.name, limits))
    if count == 0:
        raise InputError(f"{path.name} is an empty ZIP file. Add images to it.")


def too_many_files(name: str, limits: Limits) -> str:
    """Return the error message for an archive or folder with too many files."""
    return (
        f"{name} holds more than {limits.max_members:,} files, the limit for one import "
        "(VECAF_MAX_MEMBERS). Split it, or raise the limit."
    )


def _directory(data: mmap.mmap, path: Path) -> tuple[int, int]:
    """Return the start and the end of the central directory in the file."""
    end = data.rfind(_END, max(0, len(data) - _END_BYTES - _MAX_COMMENT))
    if end < 0 or end + _END_BYTES > len(data):
        raise InputError(_not_a_zip(path))
    length = struct.unpack_from("<L", data, end + 12)[0]
    locator = end - _LOCATOR_BYTES
    record = locator - _END64_BYTES
    if record >= 0 and data[locator : locator + 4] == _LOCATOR:
        if data[record : record + 4] != _END64:
            raise InputError(_not_a_zip(path))
        length, end = struct.unpack_from("<Q", data, record + 40)[0], record
    # The directory ends where its end record begins, even if other data precedes the archive.
    if length > end:
        raise InputError(_not_a_zip(path))
    return end - length, end


def _not_a_zip(path: Path) -> str:
    return (
        f"{path.name} is not a ZIP file. Put the images into a ZIP file, or choose the folder that "
        "contains them."
    )
