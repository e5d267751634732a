"""Export a dataset in the formats of other tools, as a folder or a ZIP archive.

Importing an export again gives the same labels and splits, and the same captions if the format has
captions. Images whose files are missing are left out and listed in missing.csv.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from vecaf.datasets.export_images import Export, dataset_to_export
from vecaf.datasets.writers import MISSING, WRITERS, metadata_file
from vecaf.errors import InputError
from vecaf.files import new_folder, replacing
from vecaf.store import Store


class ExportResult(NamedTuple):
    """The number of images exported, and of images left out because their files are missing."""

    images: int
    missing: int


def export_files(export: Export, format: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of an export by name, one at a time."""
    yield from WRITERS[format](export)
    if export.missing:
        yield MISSING, metadata_file(export.missing, "csv")[1]


def stream_zip(export: Export, format: str) -> Iterator[bytes]:
    """Yield the export as pieces of a ZIP archive, so that memory use stays constant."""
    return zip_pieces(export_files(export, format))


def zip_pieces(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """Yield files, given by name and content, as pieces of a ZIP archive."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            is_text = name.endswith((".csv", ".json", ".jsonl", ".md", ".xml", ".txt"))
            kind = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
            archive.writestr(name, content, compress_type=kind)
            yield sink.take()
    yield sink.take()


def export_dataset(
    store: Store,
    user_id: int,
    dataset_id: int,
    to: Path,
    format: str = "csv",
    progress: Callable[[int, int], None] | None = None,
) -> ExportResult:
    """Export a dataset to `to`: a ZIP archive if the name ends in .zip, else a folder.

    `to` appears only when it is complete. `format` is a key of `vecaf.datasets.writers.WRITERS`.

    Raises
    ------
    InputError
        The format is unknown, or `to` exists and is not an empty folder.
    NotFoundError
        The user can't read the dataset.
    UnavailableError
        The disk is full.
    """
    check_format(format)
    to = to.absolute()
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"{to} already exists and is not empty. Choose another name.")
    export = dataset_to_export(store, user_id, dataset_id)

    def report() -> None:
        if progress is not None:
            progress(len(export.kept) + len(export.missing), len(export.images))

    if to.suffix.lower() == ".zip":
        with replacing(to) as temporary, temporary.open("wb") as file:
            for piece in stream_zip(export, format):
                file.write(piece)
                report()
    else:
        with new_folder(to) as folder:
            for name, content in export_files(export, format):
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                report()
    return ExportResult(len(export.kept), len(export.missing))


def check_format(format: str) -> None:
    """Raise InputError if there is no export format of this name."""
    if format not in WRITERS:
        known = ", ".join(WRITERS)
        raise InputError(f"There is no export format '{format}'. Choose one of: {known}.")


class _Sink(io.RawIOBase):
    """A write-only buffer for ZipFile; `take` returns and removes its content."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        content = b"".join(self._pieces)
        self._pieces.clear()
        return content
