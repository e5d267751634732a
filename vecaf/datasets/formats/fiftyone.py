"""FiftyOneImageClassificationDataset: the images in data/, and labels.json with their classes.

FiftyOne's ImageClassificationDirectoryTree is read as folders of images.
Reference: https://docs.voxel51.com/user_guide/export_datasets.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from vecaf.datasets.formats.placing import Files, Record, folder_of, place_records, split_of
from vecaf.datasets.formats.reading import Contents, Format, Reading
from vecaf.datasets.metadata import MetadataRow, MultiLabelError, metadata_row
from vecaf.errors import InputError

TITLE = "a FiftyOne image classification export"


def _is_fiftyone(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and isinstance(document.get("labels"), dict)
        and isinstance(document.get("classes", []), list | None)
    )


def _recognizes(contents: Contents) -> bool:
    return any(map(_is_fiftyone, contents.documents.values()))


def _read(contents: Contents) -> Reading:
    found = {name: one for name, one in contents.documents.items() if _is_fiftyone(one)}
    if not found:
        raise contents.missing("FiftyOne file: a labels.json with the key 'labels'")
    files = Files(contents.source.members)
    stems = _Stems(files.images)
    records = [record for name, one in found.items() for record in _records(name, one, stems)]
    known = {record.image for record in records}
    for name in found:  # unlabeled images have no entry
        data = f"{folder_of(name)}data/"
        rest = [one for one in files.images if one.startswith(data) and one not in known]
        row = MetadataRow(split=split_of(folder_of(name)))
        records += [Record(name, one, row) for one in rest]
    return Reading(contents.source, place_records(records, files, TITLE))


class _Stems:
    """Image files by their names without extension, which labels.json uses as keys."""

    def __init__(self, images: Sequence[str]) -> None:
        self._whole = {image.rsplit(".", 1)[0]: image for image in reversed(images)}
        self._last: defaultdict[str, list[str]] = defaultdict(list)
        for stem, image in self._whole.items():
            self._last[stem.rsplit("/", 1)[-1]].append(image)

    def find(self, key: str, folder: str) -> str:
        """Return the file of a key, which is relative to data/ or absolute; else the key."""
        found = self._whole.get(f"{folder}data/{key}") or self._whole.get(key)
        alone = self._last.get(key.rsplit("/", 1)[-1], [])
        return found or (alone[0] if len(alone) == 1 else key)


def _records(name: str, document: dict[str, Any], stems: _Stems) -> Iterator[Record]:
    classes = document.get("classes")
    folder = folder_of(name)
    for key, value in document["labels"].items():
        values = value if isinstance(value, list) else [value]
        labels = [_label(name, key, one, classes) for one in values]
        if len(labels) > 1:
            raise MultiLabelError([str(one) for one in labels]).for_dataset(f"'{key}' in {name}")
        row = metadata_row({"label": labels[0] if labels else None, "split": split_of(folder)})
        yield Record(f"{name}, '{key}'", stems.find(key, folder), row, folder)


def _label(name: str, key: str, value: Any, classes: list[str] | None) -> str | None:
    if isinstance(value, dict):  # with a confidence or attributes
        value = value.get("label")
    if value is None or isinstance(value, str):
        return value
    if classes is None:
        return str(value)
    if isinstance(value, int) and 0 <= value < len(classes):
        return str(classes[value])
    raise InputError(
        f"{name} gives '{key}' the class {value!r}, but it lists only {len(classes)} classes. "
        "Export it again."
    )


FIFTYONE = Format("fiftyone", TITLE, _recognizes, _read)
