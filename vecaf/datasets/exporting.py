"""Export a dataset in the format of Hugging Face's imagefolder, with a metadata file.

    train/cat/photo.jpg        a labeled image as stored, without EXIF
    train/photo-2.jpg          an unlabeled image
    metadata.csv (or .jsonl)   file_name, label, text, split
    missing.csv                the same columns for images whose files are missing, if any

Importing the export again gives the same labels, captions and splits.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import sqlalchemy as sa

from vecaf.datasets.metadata import CSV, JSONL, guarded
from vecaf.datasets.names import is_junk
from vecaf.datasets.pool import image_path
from vecaf.errors import InputError
from vecaf.files import new_folder, replacing
from vecaf.store import TEST, TRAIN, VAL, Dataset, Sample, Store, visible

Format = Literal["csv", "jsonl"]
MISSING = "missing.csv"
_MAX_PART = 80  # characters in a file or folder name; file systems allow 255 bytes
_RESERVED = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))}
_COLUMNS = ("file_name", "label", "text", "split")


@dataclass(frozen=True)
class ExportedImage:
    """An image to export: its name in the export, its stored file and its metadata."""

    file_name: str
    source: Path
    label: str | None
    text: str | None
    split: str


class ExportResult(NamedTuple):
    """The number of images exported, and of images left out because their files are missing."""

    images: int
    missing: int


def images_to_export(store: Store, user_id: int, dataset_id: int) -> list[ExportedImage]:
    """Return all images of the dataset, with unique names that are valid on all file systems.

    Raises NotFoundError.
    """
    columns = (
        Sample.id, Sample.file_name, Sample.sha256, Sample.extension, Sample.split, Sample.label,
        Sample.caption,
    )  # fmt: skip
    with store.read() as session:
        classes = list(visible(session, user_id, Dataset, dataset_id).classes)
        query = sa.select(*columns).where(Sample.dataset_id == dataset_id).order_by(Sample.id)
        rows = session.execute(query).all()
    folders = _folders(classes)
    # An unlabeled image can't have the same path as the folder of a class.
    taken = {
        f"{split}/{folder}".casefold(): 0 for split in (TRAIN, VAL, TEST) for folder in folders
    }
    found = []
    for row in rows:
        folder = row.split if row.label is None else f"{row.split}/{folders[row.label]}"
        stem = _part(row.file_name.rsplit("/", 1)[-1].rsplit(".", 1)[0])
        name = _unique(f"{folder}/{stem}", row.extension, taken)
        found.append(
            ExportedImage(
                file_name=name,
                source=image_path(store.settings.images, row.sha256, row.extension),
                label=None if row.label is None else classes[row.label],
                text=row.caption,
                split=row.split,
            )
        )
    return found


def metadata(images: list[ExportedImage], kind: Format) -> tuple[str, bytes]:
    """Return the name and the content of the metadata file."""
    if kind == "jsonl":
        lines = [
            json.dumps({name: getattr(one, name) for name in _COLUMNS}, ensure_ascii=False)
            for one in images
        ]
        return JSONL, "".join(f"{line}\n" for line in lines).encode()
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for one in images:
        writer.writerow([guarded(getattr(one, name) or "") for name in _COLUMNS])
    return CSV, text.getvalue().encode()


def stream_zip(images: list[ExportedImage], kind: Format) -> Iterator[bytes]:
    """Yield the export as pieces of a ZIP archive, so that memory use stays constant.

    Images whose files are missing are left out and listed in missing.csv. The metadata comes last,
    when it is known which images the archive contains.
    """
    sink = _Sink()
    kept: list[ExportedImage] = []
    missing: list[ExportedImage] = []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for one in images:
            content = _content(one)
            (missing if content is None else kept).append(one)
            if content is not None:
                archive.writestr(one.file_name, content)
            yield sink.take()
        for name, table in _tables(kept, missing, kind):
            archive.writestr(name, table, compress_type=zipfile.ZIP_DEFLATED)
    yield sink.take()


def export_dataset(
    store: Store,
    user_id: int,
    dataset_id: int,
    to: Path,
    kind: Format = "csv",
    progress: Callable[[int, int], None] | None = None,
) -> ExportResult:
    """Export a dataset to `to`: a ZIP archive if the name ends in .zip, else a folder.

    `to` appears only when it is complete. Images whose files are missing are left out; see
    `stream_zip`.

    Raises
    ------
    InputError
        The format is unknown, or `to` exists and is not an empty folder.
    NotFoundError
        The user can't read the dataset.
    UnavailableError
        The disk is full.
    """
    if kind not in get_args(Format):
        raise InputError(f"The metadata format '{kind}' is unknown. Choose csv or jsonl.")
    to = to.absolute()
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"{to} already exists and is not empty. Choose another name.")
    images = images_to_export(store, user_id, dataset_id)
    report = progress or (lambda done, total: None)
    if to.suffix.lower() == ".zip":
        with replacing(to) as temporary:
            with temporary.open("wb") as file:
                for done, piece in enumerate(stream_zip(images, kind)):
                    file.write(piece)
                    report(min(done + 1, len(images)), len(images))
            with zipfile.ZipFile(temporary) as archive:
                kept = sum("/" in name for name in archive.namelist())
        return ExportResult(kept, len(images) - kept)
    with new_folder(to) as folder:
        kept_images: list[ExportedImage] = []
        missing: list[ExportedImage] = []
        for done, one in enumerate(images, start=1):
            content = _content(one)
            (missing if content is None else kept_images).append(one)
            if content is not None:
                path = folder / one.file_name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            report(done, len(images))
        for name, table in _tables(kept_images, missing, kind):
            (folder / name).write_bytes(table)
    return ExportResult(len(kept_images), len(missing))


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


def _content(one: ExportedImage) -> bytes | None:
    """Return the content of the image's file; None if it is missing or unreadable."""
    try:
        return one.source.read_bytes()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EIO):
            raise
        return None


def _tables(
    kept: list[ExportedImage], missing: list[ExportedImage], kind: Format
) -> Iterator[tuple[str, bytes]]:
    """Yield the metadata file and, if images are missing, the list of those."""
    yield metadata(kept, kind)
    if missing:
        yield MISSING, metadata(missing, "csv")[1]


def _folders(classes: list[str]) -> list[str]:
    """Return a folder name for each class; the metadata has the exact class names."""
    taken: dict[str, int] = {}
    return [_unique(_part(name), "", taken) for name in classes]


def _part(name: str) -> str:
    """Return a file or folder name that is valid on all file systems."""
    safe = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", name)[:_MAX_PART].strip(" .")
    while len(safe.encode()) > 2 * _MAX_PART:
        safe = safe[:-1]
    if not safe or safe.split(".")[0].casefold() in _RESERVED or is_junk(safe):
        return f"_{safe}"
    return safe


def _unique(stem: str, extension: str, taken: dict[str, int]) -> str:
    """Return `stem` + `extension`, with a number if that name is taken (ignoring case).

    `taken` maps the lowercase names so far to the last number appended to each; it is updated.
    """
    wanted = f"{stem}{extension}"
    name, number = wanted, taken.get(wanted.casefold(), 0)
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number + 1}{extension}"
    taken[wanted.casefold()] = number
    taken.setdefault(name.casefold(), 0)
    return name
