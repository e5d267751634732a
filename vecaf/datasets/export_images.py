"""The images of an export: their names, which are valid on all file systems, and their content."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from vecaf.datasets.names import is_junk
from vecaf.datasets.pool import image_path
from vecaf.store import TEST, TRAIN, VAL, Dataset, Sample, Store, visible

SPLITS = (TRAIN, VAL, TEST)
_MAX_PART = 80  # characters in a file or folder name; file systems allow 255 bytes
_RESERVED = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))}


@dataclass(frozen=True)
class ExportedImage:
    """An image to export: its name in the export, its stored file and its metadata."""

    file_name: str
    source: Path
    label: str | None
    text: str | None
    split: str
    id: int = 0
    width: int = 0
    height: int = 0


@dataclass
class Export:
    """A dataset to export. `read` notes which images have a file and which don't."""

    images: Sequence[ExportedImage]
    classes: Sequence[str]
    name: str = "dataset"
    attribution: str | None = None
    kept: list[ExportedImage] = field(default_factory=list)
    missing: list[ExportedImage] = field(default_factory=list)

    def read(self, one: ExportedImage) -> bytes | None:
        """Return the content of an image; None if its file is missing or unreadable."""
        try:
            content = one.source.read_bytes()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EIO):
                raise
            self.missing.append(one)
            return None
        self.kept.append(one)
        return content

    def of_split(self, split: str) -> list[ExportedImage]:
        """Return the images of a split."""
        return [one for one in self.images if one.split == split]


def dataset_to_export(store: Store, user_id: int, dataset_id: int) -> Export:
    """Return all images of the dataset, with unique names that are valid on all file systems.

    Raises NotFoundError.
    """
    columns = (
        Sample.id, Sample.file_name, Sample.sha256, Sample.extension, Sample.split, Sample.label,
        Sample.caption, Sample.width, Sample.height,
    )  # fmt: skip
    with store.read() as session:
        dataset = visible(session, user_id, Dataset, dataset_id)
        classes = list(dataset.classes)
        name, attribution = dataset.name, dataset.attribution
        query = sa.select(*columns).where(Sample.dataset_id == dataset_id).order_by(Sample.id)
        rows = session.execute(query).all()
    folders = _folders(classes)
    # An unlabeled image can't have the same path as the folder of a class.
    taken = {f"{split}/{folder}".casefold(): 0 for split in SPLITS for folder in folders}
    found = []
    for row in rows:
        folder = row.split if row.label is None else f"{row.split}/{folders[row.label]}"
        stem = safe_part(row.file_name.rsplit("/", 1)[-1].rsplit(".", 1)[0])
        found.append(
            ExportedImage(
                file_name=unique_name(f"{folder}/{stem}", row.extension, taken),
                source=image_path(store.settings.images, row.sha256, row.extension),
                label=None if row.label is None else classes[row.label],
                text=row.caption,
                split=row.split,
                id=row.id,
                width=row.width,
                height=row.height,
            )
        )
    return Export(found, classes, name, attribution)


def _folders(classes: list[str]) -> list[str]:
    """Return a folder name for each class; the metadata has the exact class names."""
    taken: dict[str, int] = {}
    return [unique_name(safe_part(name), "", taken) for name in classes]


def safe_part(name: str) -> str:
    """Return a file or folder name that is valid on all file systems."""
    safe = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", name)[:_MAX_PART].strip(" .")
    while len(safe.encode()) > 2 * _MAX_PART:
        safe = safe[:-1]
    if not safe or safe.split(".")[0].casefold() in _RESERVED or is_junk(safe):
        return f"_{safe}"
    return safe


def unique_name(stem: str, extension: str, taken: dict[str, int]) -> str:
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
