"""Sources of an import: a ZIP archive or a folder, as a list of members that can be read.

Members are never extracted under their own names, and links out of the folder are not followed.
Sizes are measured while reading, since headers can be wrong.
"""

from __future__ import annotations

import os
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import IO, Protocol

from vecaf.datasets.import_report import Refusal, Refused
from vecaf.datasets.names import clean, clean_path, is_junk, map_parts, readable_name
from vecaf.datasets.zip_directory import check_zip_directory, too_many_files
from vecaf.errors import InputError
from vecaf.settings import Limits

CHUNK = 1 << 18
HEAD = 64  # bytes that identify a file's format
# Small plain images can compress a thousandfold, so the ratio is limited only above this size.
RATIO_APPLIES_FROM = 1 << 22


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a source: its cleaned name, its source's own key for it, and its claimed size."""

    name: str
    key: object
    size: int


HeadCheck = Callable[[bytes], None]
"""Checks the first HEAD bytes of a file; raises Refused if the rest should not be read."""


class Source(Protocol):
    """Where an import reads files from. Several threads can call `read` at once."""

    members: list[Member]
    refused: list[Refusal]
    passed_over: int

    def read(self, member: Member, check_head: HeadCheck, max_bytes: int) -> bytes:
        """Return the content of a member.

        Raises Refused if `check_head` refuses it, or it is damaged or larger than `max_bytes`, and
        InputError if the source as a whole exceeds a limit.
        """

    def close(self) -> None:
        """Release the source's files."""


@dataclass
class ByteBudget:
    """The number of bytes that an import can still read; shared by the reading threads."""

    left: int
    _lock: Lock = field(default_factory=Lock)

    def spend(self, count: int) -> None:
        """Subtract `count` bytes. Raises InputError if the limit is exceeded."""
        with self._lock:
            self.left -= count
            if self.left < 0:
                raise InputError(
                    "The files are larger in total than the limit for one import "
                    "(VECAF_MAX_EXPANDED_BYTES). Split the upload, or raise the limit."
                )


def open_source(path: Path, limits: Limits) -> Source:
    """Open a ZIP file or a folder. Raises InputError if it is neither or exceeds a limit."""
    if path.is_dir():
        return FolderSource(path, limits)
    if not path.is_file():
        raise InputError(f"There is no file or folder {path}. Check the path.")
    return ZipSource(path, limits)


DAMAGED = (  # raised by zipfile for a damaged member
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, UnicodeDecodeError,
)  # fmt: skip


class ZipSource:
    """The members of a ZIP archive."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        self._budget = ByteBudget(limits.max_expanded_bytes)
        self.refused: list[Refusal] = []
        self.passed_over = 0
        check_zip_directory(path, limits)
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise InputError(
                f"{path.name} is not a readable ZIP file ({error}). Create it again."
            ) from error
        infos = self._zip.infolist()
        if _overlap(infos):
            self._zip.close()
            raise InputError(
                f"{path.name} was not read: its files overlap, as in a decompression bomb. Create "
                "the archive again."
            )
        self.members = list(self._list(infos))

    def _list(self, infos: list[zipfile.ZipInfo]) -> Iterator[Member]:
        seen: set[str] = set()
        for info in infos:
            if info.is_dir():
                continue
            raw = _decoded_name(info)
            try:
                name = clean_path(raw)
                if is_junk(name):
                    self.passed_over += 1
                    continue
                if name in seen:
                    raise InputError("another file has the same name; only the first is used")
                seen.add(name)
                _check_kind(info)
            except InputError as error:
                self.refused.append(_refusal(raw, str(error)))
                continue
            yield Member(name, info, info.file_size)

    def read(self, member: Member, check_head: HeadCheck, max_bytes: int) -> bytes:
        """Return the content of a member; see `Source.read`."""
        info = member.key
        assert isinstance(info, zipfile.ZipInfo)
        try:
            with self._zip.open(info) as stream:
                return _read(stream, check_head, max_bytes, self._budget, self._max_expanded(info))
        except DAMAGED as error:
            raise Refused(f"it can't be unpacked: the archive is damaged ({error})") from error

    def _max_expanded(self, info: zipfile.ZipInfo) -> int:
        return max(info.compress_size * self._limits.max_ratio, RATIO_APPLIES_FROM)

    def close(self) -> None:
        """Close the archive."""
        self._zip.close()


class FolderSource:
    """The files below a folder. Links are followed only if they lead to files in this folder."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        self._budget = ByteBudget(limits.max_expanded_bytes)
        self._root = path.resolve()
        self.refused: list[Refusal] = []
        self.passed_over = 0
        self.members = list(self._list())

    def _list(self) -> Iterator[Member]:
        seen: set[str] = set()
        for path in self._walk():
            raw = readable_name(path.relative_to(self._root).as_posix())
            if is_junk(raw):
                self.passed_over += 1
                continue
            try:
                name = clean_path(raw)
                if name in seen:
                    raise InputError(
                        "another file has the same name after cleaning; only the first is used"
                    )
                member = Member(name, *self._checked(path))
            except InputError as error:
                self.refused.append(_refusal(raw, str(error)))
                continue
            seen.add(name)
            yield member

    def _walk(self) -> Iterator[Path]:
        """Yield every file and every link, sorted within each folder."""
        count = 0
        for folder, below, files in os.walk(self._root, onerror=self._unreadable):
            here = Path(folder)
            links = [name for name in below if os.path.islink(here / name)]  # noqa: PTH114 (never raises)
            below.sort()
            for name in sorted(files) + links:
                count += 1
                if count > self._limits.max_members:
                    raise InputError(too_many_files(self._root.name, self._limits))
                yield here / name

    def _unreadable(self, error: OSError) -> None:
        """Handle the error of a folder that could not be listed."""
        path = Path(error.filename)
        if path == self._root:
            reason = f"{path} can't be read ({error.strerror}). Check its permissions."
            raise InputError(reason) from error
        raw = readable_name(path.relative_to(self._root).as_posix())
        if is_junk(raw):
            self.passed_over += 1
        else:
            reason = f"the folder can't be read ({error.strerror})"
            self.refused.append(_refusal(raw, reason))

    def _checked(self, path: Path) -> tuple[Path, int]:
        """Return the file that `path` leads to, and its size."""
        try:
            if path.is_symlink():
                target = path.resolve()
                if not target.is_relative_to(self._root):
                    raise InputError("it is a link to a file outside the folder")
                path = target
            facts = path.stat()
        except OSError as error:
            raise InputError(f"it can't be read ({error.strerror})") from error
        except RuntimeError as error:  # raised by Python before 3.13
            raise InputError("it is a link to itself") from error
        if not stat.S_ISREG(facts.st_mode):
            raise InputError("it is not a regular file")
        return path, facts.st_size

    def read(self, member: Member, check_head: HeadCheck, max_bytes: int) -> bytes:
        """Return the content of a member; see `Source.read`."""
        assert isinstance(member.key, Path)
        try:
            with member.key.open("rb") as stream:
                return _read(stream, check_head, max_bytes, self._budget)
        except OSError as error:
            raise Refused(f"it can't be read ({error.strerror or error})") from error

    def close(self) -> None:
        """Do nothing: `read` closes each file."""


def _read(
    stream: IO[bytes],
    check_head: HeadCheck,
    max_bytes: int,
    budget: ByteBudget,
    max_expanded: int = sys.maxsize,
) -> bytes:
    """Read a member to its end and enforce the limits while reading."""
    chunk = stream.read(CHUNK)
    check_head(chunk[:HEAD])
    parts: list[bytes] = []
    size = 0
    while chunk:
        parts.append(chunk)
        size += len(chunk)
        budget.spend(len(chunk))
        if size > max_expanded:
            raise Refused("it expands to far more than its compressed size, like a zip bomb")
        if size > max_bytes:
            raise Refused(f"it is larger than {max_bytes / 2**20:g} MiB, the limit for one file")
        # A short read is the last one and has checked the checksum.
        chunk = stream.read(CHUNK) if len(chunk) == CHUNK else b""
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _overlap(infos: list[zipfile.ZipInfo]) -> bool:
    """Return whether two members use the same bytes of the archive, as in some zip bombs."""
    spans = sorted((info.header_offset, info.compress_size) for info in infos)
    return any(offset + 30 + size > after for (offset, size), (after, _) in pairwise(spans))


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """Return the name; it may be UTF-8 without the flag for it, as many tools write it."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    return map_parts(info.orig_filename, lambda part: part.encode("cp437").decode())


def _refusal(raw: str, reason: str) -> Refusal:
    """Return a refusal with a name that is safe to store and show."""
    return Refusal(clean(raw) or ascii(raw), reason)


def _check_kind(info: zipfile.ZipInfo) -> None:
    """Raise InputError, with the reason, if a member is not a regular, readable file."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise InputError("it is a symbolic link")
    if kind not in (0, stat.S_IFREG):
        raise InputError("it is not a regular file")
    if info.flag_bits & 0x1:
        raise InputError("it is encrypted; create the archive without a password")
    # With bzip2 and LZMA, a header can make the decoder allocate gigabytes of memory.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError("its compression method is neither 'store' nor 'deflate'")
