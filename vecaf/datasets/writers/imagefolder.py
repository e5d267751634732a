"""Folders by split and class with metadata: the studio's own layout, and that of Hugging Face.

train/cat/photo.jpg        a labeled image as stored, without EXIF
train/photo-2.jpg          an unlabeled image
metadata.csv (or .jsonl)   file_name, label, text, split
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from vecaf.datasets.export_images import SPLITS, Export, ExportedImage
from vecaf.datasets.metadata import CSV, JSONL, guarded
from vecaf.datasets.writers.card import dataset_card

Kind = Literal["csv", "jsonl"]
MISSING = "missing.csv"
_COLUMNS = ("file_name", "label", "text", "split")


def csv_folder(export: Export) -> Iterator[tuple[str, bytes]]:
    """Yield image folders and one metadata.csv."""
    yield from _images(export, export.images)
    yield metadata_file(export.kept, "csv")


def jsonl_folder(export: Export) -> Iterator[tuple[str, bytes]]:
    """Yield image folders and one metadata.jsonl."""
    yield from _images(export, export.images)
    yield metadata_file(export.kept, "jsonl")


def imagefolder(export: Export) -> Iterator[tuple[str, bytes]]:
    """Yield what `datasets.load_dataset("imagefolder")` reads: a metadata file in each split.

    A dataset card names the splits.
    """
    splits = []
    for split in SPLITS:
        done = len(export.kept)
        yield from _images(export, export.of_split(split))
        kept = export.kept[done:]
        if kept:
            splits.append(split)
            relative = [
                replace(one, file_name=one.file_name.removeprefix(f"{split}/")) for one in kept
            ]
            name, content = metadata_file(relative, "jsonl", ("file_name", "label", "text"))
            yield f"{split}/{name}", content
    yield "README.md", dataset_card(export, {split: f"{split}/**" for split in splits})


def _images(export: Export, images: Sequence[ExportedImage]) -> Iterator[tuple[str, bytes]]:
    for one in images:
        content = export.read(one)
        if content is not None:
            yield one.file_name, content


def metadata_file(
    images: Sequence[ExportedImage], kind: Kind, columns: Sequence[str] = _COLUMNS
) -> tuple[str, bytes]:
    """Return the name and the content of a metadata file."""
    if kind == "jsonl":
        lines = [
            json.dumps({name: getattr(one, name) for name in columns}, ensure_ascii=False)
            for one in images
        ]
        return JSONL, "".join(f"{line}\n" for line in lines).encode()
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for one in images:
        writer.writerow([guarded(getattr(one, name) or "") for name in columns])
    return CSV, text.getvalue().encode()
