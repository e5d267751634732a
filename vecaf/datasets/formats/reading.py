"""What a reader of a dataset format gets and returns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vecaf.datasets.archive import Container, Member, Source
from vecaf.datasets.columns import USUAL, Columns
from vecaf.datasets.folder_layout import Placement
from vecaf.datasets.import_report import Refused
from vecaf.errors import InputError
from vecaf.settings import Limits

PREVIEW_ROWS = 10
MAX_DOCUMENTS = 50  # JSON files that are read to recognize a format


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How to read a source.

    Attributes
    ----------
    format
        The name of a format; "" recognizes it.
    columns
        The columns with images, labels and captions.
    fetch_urls
        Whether images that the source names by a URL are downloaded.
    """

    format: str = ""
    columns: Columns = USUAL
    fetch_urls: bool = False


@dataclass
class Contents:
    """An opened source. Readers can write temporary files to `scratch`."""

    source: Container
    options: ImportOptions
    limits: Limits
    scratch: Path
    broken: dict[str, str] = field(default_factory=dict)

    @cached_property
    def members(self) -> dict[str, Member]:
        """The files by name."""
        return {member.name: member for member in self.source.members}

    def ending(self, *endings: str) -> list[str]:
        """Return the names of the files with one of these endings (lowercase), sorted."""
        return sorted(name for name in self.members if name.lower().endswith(endings))

    def content(self, name: str) -> bytes:
        """Return the content of a metadata file. Raises InputError."""
        try:
            member = self.members[name]
            return self.source.read(member, lambda _head: None, self.limits.max_metadata_bytes)
        except Refused as error:
            raise InputError(f"{name} can't be used: {error}.") from error

    def file(self, name: str) -> Path:
        """Return a file with the content of a large member. Raises InputError."""
        try:
            limit = self.limits.max_archive_bytes
            return self.source.local_file(self.members[name], self.scratch, limit)
        except Refused as error:
            raise InputError(f"{name} can't be used: {error}.") from error

    @cached_property
    def documents(self) -> dict[str, Any]:
        """The JSON files by name; `broken` has those that can't be parsed."""
        names = self.ending(".json")
        if len(names) > MAX_DOCUMENTS:
            return {}  # one file per image, as some programs write; no format that we read
        found = {}
        for name in names:
            try:
                found[name] = json.loads(self.content(name).decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                self.broken[name] = f"it is not valid JSON ({error}); it may be truncated"
        return found

    def missing(self, what: str) -> InputError:
        """Return the error for a source without `what`; it names JSON files that are broken."""
        broken = [f" {name} can't be used: {reason}." for name, reason in self.broken.items()]
        return InputError(f"There is no {what}.{''.join(broken[:3])}")


@dataclass(frozen=True)
class Reading:
    """The images that a reader found: a source to read them from, and the place of each."""

    source: Source
    placement: Placement


@dataclass(frozen=True)
class Preview:
    """The columns of a source and its first rows, as text.

    `images` is the column with the images, if its content shows it.
    """

    columns: Sequence[str]
    rows: Sequence[Mapping[str, str]] = field(default_factory=list)
    images: str = ""


@dataclass(frozen=True)
class Format:
    """A format that can be imported.

    Attributes
    ----------
    name
        Its name on the command line.
    title
        Its name in sentences, such as "COCO JSON".
    recognizes
        Returns whether a source has this format.
    read
        Returns the images of a source. Raises InputError.
    preview
        Returns the first rows of a source, or None if the format has no columns.
    """

    name: str
    title: str
    recognizes: Callable[[Contents], bool]
    read: Callable[[Contents], Reading]
    preview: Callable[[Contents], Preview] | None = None


def first_rows(rows: Iterator[Mapping[str, object]]) -> Preview:
    """Return a preview of the first rows, with their columns in order of appearance."""
    found: list[dict[str, str]] = []
    columns: dict[str, None] = {}
    for row in rows:
        columns.update(dict.fromkeys(row))
        found.append({key: shown(value) for key, value in row.items()})
        if len(found) == PREVIEW_ROWS:
            break
    return Preview(list(columns), found)


def shown(value: object) -> str:
    """Return a value as short text for a preview."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    return str(value)[:200]
