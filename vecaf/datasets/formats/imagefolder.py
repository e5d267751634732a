"""Hugging Face's imagefolder: folders named after classes, or images with a metadata file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vecaf.datasets.columns import USUAL
from vecaf.datasets.folder_layout import is_metadata, place_images
from vecaf.datasets.formats.reading import Contents, Format, Preview, Reading, first_rows
from vecaf.datasets.formats.table_rows import raw_rows
from vecaf.datasets.import_report import Refusal
from vecaf.datasets.metadata import Metadata, parse_metadata, with_whole_labels
from vecaf.errors import InputError


def _read(contents: Contents) -> Reading:
    metadata: dict[str, Metadata] = {}
    paths: list[str] = []
    for name in contents.members:
        if is_metadata(name):
            columns = contents.options.columns
            metadata[name] = parse_metadata(contents.content(name), name, columns)
        elif name not in contents.broken:
            paths.append(name)
    if contents.options.columns != USUAL and not metadata:
        raise InputError(
            "There is no metadata.csv or metadata.jsonl, so there are no columns to choose. Import "
            "without --file-column, --label-column and --caption-column."
        )
    placement = place_images(paths, with_whole_labels(metadata))
    placement.refused += [Refusal(name, reason) for name, reason in contents.broken.items()]
    return Reading(contents.source, placement)


def _preview(contents: Contents) -> Preview:
    return first_rows(_rows(contents))


def _rows(contents: Contents) -> Iterator[Mapping[str, object]]:
    for name in filter(is_metadata, contents.members):
        yield from raw_rows(contents.content(name), name)


IMAGEFOLDER = Format("imagefolder", "folders of images", lambda _contents: True, _read, _preview)
