"""Where an import reads from: a ZIP archive or a folder, as members and a way to read one.

Nothing is ever extracted by its name, no link is followed out, and what a header claims about a
size is not believed: bytes are counted as they come.
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
HEAD = 64  # bytes that tell an image format, or what else a file is
# A small flat picture may well compress a thousandfold; a bomb is large.
RATIO_APPLIES_FROM = 1 << 22


@dataclass(frozen=True, slots=True)
class Member:
    """One file: its cleaned name, what its source needs to read it, and the size it claims."""

    name: str
    key: object
    size: int


# Given a file's first HEAD bytes: raises Refused if the rest isn't worth reading.
HeadCheck = Callable[[bytes], None]


class Source(Protocol):
    """What an import needs of a place with images; `read` may be called from several threads."""

    members: list[Member]
    refused: list[Refusal]
    passed_over: int

    def read(self, member: Member, wanted: HeadCheck, most: int) -> bytes:
        """The member's bytes, at most `most`; Refused, or InputError at a limit of the whole."""

    def close(self) -> None: ...


@dataclass
class ByteBudget:
    """How many expanded bytes the whole import may still read; shared by the reading threads."""

    left: int
    _lock: Lock = field(default_factory=Lock)

    def spend(self, count: int) -> None:
        with self._lock:
            self.left -= count
            if self.left < 0:
                raise InputError(
                    "The archive expands to more than the limit for one import "
                    "(VECAF_MAX_EXPANDED_BYTES). Split it, or raise the limit."
                )


def open_source(path: Path, limits: Limits) -> Source:
    """Open a ZIP file or a folder. Raises InputError when it is neither or breaks a limit."""
    if path.is_dir():
        return FolderSource(path, limits)
    if not path.is_file():
        raise InputError(f"There is no file or folder {path}.")
    return ZipSource(path, limits)


DAMAGED = (  # what zipfile raises for a member whose bytes or header are not what they should be
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, UnicodeDecodeError,
)  # fmt: skip


class ZipSource:
    """The members of a ZIP archive."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        self._allowance = ByteBudget(limits.max_expanded_bytes)
        self.refused: list[Refusal] = []
        self.passed_over = 0
        check_zip_directory(path, limits)
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise InputError(
                f"{path.name} is not a readable ZIP archive ({error}). Make it again."
            ) from error
        infos = self._zip.infolist()
        if _overlap(infos):
            self._zip.close()
            raise InputError(
                f"{path.name} is a decompression bomb: its members share the same bytes. "
                "It was not read."
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
                    raise InputError("its name occurs twice in the archive; the first was taken")
                seen.add(name)
                _check_kind(info)
            except InputError as error:
                self.refused.append(_refusal(raw, str(error)))
                continue
            yield Member(name, info, info.file_size)

    def read(self, member: Member, wanted: HeadCheck, most: int) -> bytes:
        info = member.key
        assert isinstance(info, zipfile.ZipInfo)
        try:
            with self._zip.open(info) as stream:
                return _read(stream, wanted, most, self._allowance, self._most_unpacked(info))
        except DAMAGED as error:
            raise Refused(f"it can't be unpacked: the archive is damaged ({error})") from error

    def _most_unpacked(self, info: zipfile.ZipInfo) -> int:
        return max(info.compress_size * self._limits.max_ratio, RATIO_APPLIES_FROM)

    def close(self) -> None:
        self._zip.close()


class FolderSource:
    """The files below a folder. Links are followed only to files inside the same folder."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        self._allowance = ByteBudget(limits.max_expanded_bytes)
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
                    raise InputError("its name, cleaned, is another file's too; that was taken")
                member = Member(name, *self._checked(path))
            except InputError as error:
                self.refused.append(_refusal(raw, str(error)))
                continue
            seen.add(name)
            yield member

    def _walk(self) -> Iterator[Path]:
        """Every file, and every link whatever it leads to, in order."""
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
        """Called with what went wrong when a folder was to be listed."""
        path = Path(error.filename)
        if path == self._root:
            raise InputError(f"{path} can't be read ({error.strerror}).") from error
        raw = readable_name(path.relative_to(self._root).as_posix())
        if is_junk(raw):
            self.passed_over += 1
        else:
            reason = f"it is a folder that can't be read ({error.strerror})"
            self.refused.append(_refusal(raw, reason))

    def _checked(self, path: Path) -> tuple[Path, int]:
        """The file that `path` stands for, and its size."""
        try:
            if path.is_symlink():
                target = path.resolve()
                if not target.is_relative_to(self._root):
                    raise InputError("it is a link that leads out of the folder")
                path = target
            facts = path.stat()
        except OSError as error:
            raise InputError(f"it can't be read ({error.strerror})") from error
        except RuntimeError as error:  # what Python before 3.13 says of such links
            raise InputError("it is a link that leads back to itself") from error
        if not stat.S_ISREG(facts.st_mode):
            raise InputError("it is not a regular file")
        return path, facts.st_size

    def read(self, member: Member, wanted: HeadCheck, most: int) -> bytes:
        assert isinstance(member.key, Path)
        try:
            with member.key.open("rb") as stream:
                return _read(stream, wanted, most, self._allowance)
        except OSError as error:
            raise Refused(f"it can't be read ({error.strerror or error})") from error

    def close(self) -> None:
        return None


def _read(
    stream: IO[bytes],
    wanted: HeadCheck,
    most: int,
    allowance: ByteBudget,
    most_unpacked: int = sys.maxsize,
) -> bytes:
    """Read a member to its end, counting what comes."""
    chunk = stream.read(CHUNK)
    wanted(chunk[:HEAD])
    parts: list[bytes] = []
    size = 0
    while chunk:
        parts.append(chunk)
        size += len(chunk)
        allowance.spend(len(chunk))
        if size > most_unpacked:
            raise Refused("it unpacks to far more than it was packed from, as bombs do")
        if size > most:
            raise Refused(f"it is larger than {most / 2**20:g} MiB, the limit for one file")
        # A short read is the last one, with the checksum compared: no need for an empty one.
        chunk = stream.read(CHUNK) if len(chunk) == CHUNK else b""
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _overlap(infos: list[zipfile.ZipInfo]) -> bool:
    """Whether two members claim the same bytes: the trick of bombs that are all members."""
    spans = sorted((info.header_offset, info.compress_size) for info in infos)
    return any(offset + 30 + size > after for (offset, size), (after, _) in pairwise(spans))


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """The name; UTF-8 that was written without its flag, as many tools do, is seen as such."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    return map_parts(info.orig_filename, lambda part: part.encode("cp437").decode())


def _refusal(raw: str, reason: str) -> Refusal:
    """Of a file whose name may be anything: what is told and stored of it must be plain text."""
    return Refusal(clean(raw) or ascii(raw), reason)


def _check_kind(info: zipfile.ZipInfo) -> None:
    """Raise InputError, with the reason, for a member that is not a plain readable file."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise InputError("it is a symbolic link")
    if kind not in (0, stat.S_IFREG):
        raise InputError("it is not a regular file")
    if info.flag_bits & 0x1:
        raise InputError("it is encrypted; pack it without a password")
    # bzip2 and LZMA let a header ask for gigabytes of memory before the first byte comes out.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError("it is packed by a method other than 'store' or 'deflate'")
