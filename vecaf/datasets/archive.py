"""ZIP archives as sources of an import, and what all sources share.

Members are never extracted under their own names. Sizes are measured while reading, since headers
can be wrong.
"""

from __future__ import annotations

import stat
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import IO, Protocol

from vecaf.datasets.import_report import Refusal, Refused
from vecaf.datasets.names import clean, clean_path, is_junk, map_parts
from vecaf.datasets.zip_directory import check_zip_directory
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


class Container(Source, Protocol):
    """A source whose members can also be read as files, which formats such as Parquet need."""

    def local_file(self, member: Member, scratch: Path, max_bytes: int) -> Path:
        """Return a file with the content of a member; if it is a copy, it is below `scratch`.

        Raises the errors of `read`.
        """


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
                self.refused.append(refusal(raw, str(error)))
                continue
            yield Member(name, info, info.file_size)

    def read(self, member: Member, check_head: HeadCheck, max_bytes: int) -> bytes:
        """Return the content of a member; see `Source.read`."""
        info = member.key
        assert isinstance(info, zipfile.ZipInfo)
        try:
            with self._zip.open(info) as stream:
                return read_stream(
                    stream, check_head, max_bytes, self._budget, self._max_expanded(info)
                )
        except DAMAGED as error:
            raise Refused(f"it can't be unpacked: the archive is damaged ({error})") from error

    def local_file(self, member: Member, scratch: Path, max_bytes: int) -> Path:
        """Return a copy of the member; see `Container.local_file`."""
        info = member.key
        assert isinstance(info, zipfile.ZipInfo)
        try:
            with self._zip.open(info) as stream:
                return copied(stream, scratch, max_bytes, self._budget, self._max_expanded(info))
        except DAMAGED as error:
            raise Refused(f"it can't be unpacked: the archive is damaged ({error})") from error

    def _max_expanded(self, info: zipfile.ZipInfo) -> int:
        return max(info.compress_size * self._limits.max_ratio, RATIO_APPLIES_FROM)

    def close(self) -> None:
        """Close the archive."""
        self._zip.close()


def read_stream(
    stream: IO[bytes],
    check_head: HeadCheck,
    max_bytes: int,
    budget: ByteBudget,
    max_expanded: int = sys.maxsize,
) -> bytes:
    """Read a member to its end and enforce the limits while reading."""
    parts = list(_chunks(stream, check_head, max_bytes, budget, max_expanded))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def copied(
    stream: IO[bytes],
    scratch: Path,
    max_bytes: int,
    budget: ByteBudget,
    max_expanded: int = sys.maxsize,
) -> Path:
    """Copy a member to a new file below `scratch` and enforce the limits while reading."""
    with tempfile.NamedTemporaryFile(dir=scratch, delete=False) as file:
        for chunk in _chunks(stream, lambda _head: None, max_bytes, budget, max_expanded):
            file.write(chunk)
    return Path(file.name)


def _chunks(
    stream: IO[bytes],
    check_head: HeadCheck,
    max_bytes: int,
    budget: ByteBudget,
    max_expanded: int,
) -> Iterator[bytes]:
    chunk = stream.read(CHUNK)
    check_head(chunk[:HEAD])
    size = 0
    while chunk:
        size += len(chunk)
        budget.spend(len(chunk))
        if size > max_expanded:
            raise Refused("it expands to far more than its compressed size, like a zip bomb")
        if size > max_bytes:
            raise Refused(f"it is larger than {max_bytes / 2**20:g} MiB, the limit for one file")
        yield chunk
        # A short read is the last one and has checked the checksum.
        chunk = stream.read(CHUNK) if len(chunk) == CHUNK else b""


def _overlap(infos: list[zipfile.ZipInfo]) -> bool:
    """Return whether two members use the same bytes of the archive, as in some zip bombs."""
    spans = sorted((info.header_offset, info.compress_size) for info in infos)
    return any(offset + 30 + size > after for (offset, size), (after, _) in pairwise(spans))


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """Return the name; it may be UTF-8 without the flag for it, as many tools write it."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    return map_parts(info.orig_filename, lambda part: part.encode("cp437").decode())


def refusal(raw: str, reason: str) -> Refusal:
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
