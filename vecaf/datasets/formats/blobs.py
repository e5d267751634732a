"""Images inside larger files, as a source: each is a part of a file on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from vecaf.datasets.archive import HEAD, ByteBudget, HeadCheck, Member, Source
from vecaf.datasets.images import EXTENSIONS
from vecaf.datasets.import_report import Refusal, Refused
from vecaf.datasets.sanitize import sniff
from vecaf.files import convert_disk_full_errors


@dataclass(frozen=True, slots=True)
class Blob:
    """A part of a file."""

    file: Path
    offset: int
    size: int


class Spool:
    """A temporary file to which images are appended, within the limits of an import."""

    def __init__(self, scratch: Path, budget: ByteBudget, max_bytes: int) -> None:
        self._file: IO[bytes] = tempfile.NamedTemporaryFile(dir=scratch, delete=False)  # noqa: SIM115
        self._budget, self._max_bytes = budget, max_bytes
        self._size = 0

    def add(self, content: bytes) -> Blob:
        """Append an image. Raises Refused if it is larger than the limit."""
        if len(content) > self._max_bytes:
            raise Refused(
                f"it is larger than {self._max_bytes / 2**20:g} MiB, the limit for one file"
            )
        self._budget.spend(len(content))
        with convert_disk_full_errors():
            self._file.write(content)
        blob = Blob(Path(self._file.name), self._size, len(content))
        self._size += len(content)
        return blob

    def close(self) -> None:
        """Write everything that is still in memory to the file."""
        with convert_disk_full_errors():
            self._file.close()


@dataclass
class BlobSource:
    """A source whose members are blobs; other members are read from `outer`."""

    outer: Source
    members: list[Member]
    refused: list[Refusal] = field(default_factory=list)
    passed_over: int = 0

    def read(self, member: Member, check_head: HeadCheck, max_bytes: int) -> bytes:
        """Return the content of a member; see `Source.read`."""
        blob = member.key
        if not isinstance(blob, Blob):
            return self.outer.read(member, check_head, max_bytes)
        if blob.size > max_bytes:
            raise Refused(f"it is larger than {max_bytes / 2**20:g} MiB, the limit for one file")
        try:
            with blob.file.open("rb") as file:
                file.seek(blob.offset)
                content = file.read(blob.size)
        except OSError as error:
            raise Refused(f"it can't be read ({error.strerror or error})") from error
        check_head(content[:HEAD])
        if len(content) < blob.size:
            raise Refused("it is truncated: the file ends in the middle of the image")
        return content

    def close(self) -> None:
        """Close the outer source."""
        self.outer.close()


def extension_of(content: bytes) -> str:
    """Return the usual extension of an image; "" if its format is unknown."""
    try:
        return EXTENSIONS.get(sniff(content[:HEAD]), ".png")
    except Refused:
        return ""


def unique(name: str, taken: Container[str], number: int) -> str:
    """Return `name`, with a number before its last part if it is taken."""
    folder, last = name[: name.rfind("/") + 1], name.rsplit("/", 1)[-1]
    while name in taken:
        name, number = f"{folder}{number}-{last}", number + 1
    return name
