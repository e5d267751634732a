"""A dataset as others can read it: Hugging Face's imagefolder, with a metadata file.

    train/cat/photo.jpg        the image as stored: checked, its EXIF left out at import
    train/photo-2.jpg          one without a label
    metadata.csv (or .jsonl)   file_name, label, text, split
    missing.csv                the same for images whose files are missing, if there are any

Importing it again gives the same labels, captions and splits.
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
from vecaf.files import appearing, replacing
from vecaf.store import TEST, TRAIN, VAL, Dataset, Sample, Store, visible

Format = Literal["csv", "jsonl"]
MISSING = "missing.csv"
_MOST = 80  # characters of one part of a path: 255 bytes are what file systems take
_RESERVED = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))}
_COLUMNS = ("file_name", "label", "text", "split")


@dataclass(frozen=True)
class ExportedImage:
    """One image on its way out: where it goes, where it lies, what is known of it."""

    file_name: str
    source: Path
    label: str | None
    text: str | None
    split: str


class ExportResult(NamedTuple):
    """How many images an export holds, and how many it lacks because their files are missing."""

    images: int
    missing: int


def images_to_export(store: Store, user_id: int, dataset_id: int) -> list[ExportedImage]:
    """All images of the dataset as they are now, with names that are unique and safe everywhere.

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
    # A file beside the classes' folders can't have the name of one.
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
    """The metadata file's name and content."""
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
    """The export as a ZIP archive, piece by piece: memory stays flat whatever its size.

    An image whose file is missing is left out and listed in missing.csv. The tables come last,
    because only then is it known which images the archive holds.
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
    """Write the export to `to`, a new file that ends in .zip or a new folder.

    It appears when it is complete, or not at all. Images whose files are missing are left out, see
    `stream`. Raises InputError for a format that is unknown or a place that is taken,
    NotFoundError, UnavailableError when the disk is full.
    """
    if kind not in get_args(Format):
        raise InputError(f"The metadata's format can be csv or jsonl, not '{kind}'.")
    to = to.absolute()
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"{to} is there already and not empty; give another name.")
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
    with appearing(to) as folder:
        there: list[ExportedImage] = []
        missing: list[ExportedImage] = []
        for done, one in enumerate(images, start=1):
            content = _content(one)
            (missing if content is None else there).append(one)
            if content is not None:
                path = folder / one.file_name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            report(done, len(images))
        for name, table in _tables(there, missing, kind):
            (folder / name).write_bytes(table)
    return ExportResult(len(there), len(missing))


class _Sink(io.RawIOBase):
    """What a ZipFile writes to, and its reader empties: neither seeks."""

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
    """The image's file; None where it is missing or the disk can't read it."""
    try:
        return one.source.read_bytes()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EIO):
            raise
        return None


def _tables(
    kept: list[ExportedImage], missing: list[ExportedImage], kind: Format
) -> Iterator[tuple[str, bytes]]:
    """The metadata file and, if images are missing, the list of them."""
    yield metadata(kept, kind)
    if missing:
        yield MISSING, metadata(missing, "csv")[1]


def _folders(classes: list[str]) -> list[str]:
    """A folder for every class; the metadata holds the true names."""
    taken: dict[str, int] = {}
    return [_unique(_part(name), "", taken) for name in classes]


def _part(name: str) -> str:
    """One part of a path that every file system takes, and every unpacker leaves in its place."""
    safe = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", name)[:_MOST].strip(" .")
    while len(safe.encode()) > 2 * _MOST:
        safe = safe[:-1]
    if not safe or safe.split(".")[0].casefold() in _RESERVED or is_junk(safe):
        return f"_{safe}"
    return safe


def _unique(stem: str, extension: str, taken: dict[str, int]) -> str:
    """`stem` + `extension`, numbered where another has that name, in any case of letters.

    `taken` holds the names so far, each with the last number that was put behind it.
    """
    wanted = f"{stem}{extension}"
    name, number = wanted, taken.get(wanted.casefold(), 0)
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number + 1}{extension}"
    taken[wanted.casefold()] = number
    taken.setdefault(name.casefold(), 0)
    return name
