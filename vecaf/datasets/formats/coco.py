"""COCO JSON with image-level labels, or objects of one category per image.

Reference: https://cocodataset.org/#format-data
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vecaf.datasets.formats.placing import (
    Files,
    Record,
    folder_of,
    place_records,
    split_of,
    text_of,
)
from vecaf.datasets.formats.reading import Contents, Format, Reading
from vecaf.datasets.metadata import MultiLabelError, metadata_row
from vecaf.errors import InputError

TITLE = "COCO JSON"


def _is_coco(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("images"), list)


def _recognizes(contents: Contents) -> bool:
    return any(map(_is_coco, contents.documents.values()))


def _read(contents: Contents) -> Reading:
    found = {name: one for name, one in contents.documents.items() if _is_coco(one)}
    if not found:
        raise contents.missing("COCO file: a JSON file with the key 'images'")
    records: dict[tuple[str, str], Record] = {}
    for name, document in found.items():
        for record in _records(name, document):
            key = (record.folder, record.image)
            known = records.get(key)
            # COCO has one file for captions and one for categories.
            records[key] = record if known is None else _merged(known, record)
    placement = place_records(list(records.values()), Files(contents.source.members), TITLE)
    return Reading(contents.source, placement)


def _merged(first: Record, second: Record) -> Record:
    one, other = first.row, second.row
    row = metadata_row({
        "label": one.label or other.label,
        "text": one.caption or other.caption,
        "split": one.split or other.split,
    })  # fmt: skip
    return Record(first.where, first.image, row, first.folder)


def _records(name: str, document: dict[str, Any]) -> Iterator[Record]:
    try:
        categories = {
            one["id"]: str(one.get("name", one["id"])) for one in document.get("categories") or ()
        }
        labels: dict[object, set[object]] = {}
        captions: dict[object, str] = {}
        for one in document.get("annotations") or ():
            if one.get("category_id") is not None:
                labels.setdefault(one["image_id"], set()).add(one["category_id"])
            if text_of(one, "caption"):
                captions.setdefault(one["image_id"], one["caption"])
        for image in document["images"]:
            own = sorted(str(categories[number]) for number in labels.get(image["id"], ()))
            where = f"{name}, image {image['id']}"
            if len(own) > 1:
                raise MultiLabelError(own).for_dataset(f"'{image['file_name']}' in {name}")
            row = metadata_row({
                "label": own[0] if own else None,
                "text": captions.get(image["id"]),
                "split": split_of(name),
            })  # fmt: skip
            yield Record(where, str(image["file_name"]), row, folder_of(name))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{name} is not complete COCO JSON: {_problem(error)}. Export it again."
        ) from error


def _problem(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the key or category {error} is missing"
    return "a value has the wrong type"


COCO = Format("coco", TITLE, _recognizes, _read)
