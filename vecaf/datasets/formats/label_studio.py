"""Label Studio's JSON and JSON-MIN exports of projects with choices.

The export has no image files. They are found beside it by their names.
Reference: https://labelstud.io/guide/export
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vecaf.datasets.columns import Columns, choose
from vecaf.datasets.formats.placing import (
    Files,
    Record,
    folder_of,
    only,
    place_records,
    split_of,
    text_of,
)
from vecaf.datasets.formats.reading import Contents, Format, Preview, Reading, first_rows
from vecaf.datasets.metadata import MultiLabelError, metadata_row
from vecaf.errors import InputError

TITLE = "a Label Studio export"
_IMAGES = ("image", "img", "url", "file_name")
_CHOICES = ("choice", "label", "class", "choices")


def is_label_studio(document: Any) -> bool:
    """Return whether a JSON document is a list of tasks, in the full or the short form."""
    if not isinstance(document, list) or not document or not isinstance(document[0], dict):
        return False
    first = document[0]
    return isinstance(first.get("data"), dict) or bool(text_of(first, *_IMAGES))


def _recognizes(contents: Contents) -> bool:
    return any(map(is_label_studio, contents.documents.values()))


def _read(contents: Contents) -> Reading:
    found = {name: one for name, one in contents.documents.items() if is_label_studio(one)}
    if not found:
        raise contents.missing("Label Studio export: a JSON file with a list of tasks")
    records = [
        record
        for name, tasks in found.items()
        for record in _records(name, tasks, contents.options.columns)
    ]
    return Reading(contents.source, place_records(records, Files(contents.source.members), TITLE))


def _records(name: str, tasks: list[Any], columns: Columns) -> Iterator[Record]:
    for number, task in enumerate(tasks, start=1):
        where = f"{name}, task {number}"
        data = task.get("data", task) if isinstance(task, dict) else None
        if not isinstance(data, dict):
            raise InputError(f"{where} has no 'data'. Export the project as JSON again.")
        image = text_of(data, columns.file) if columns.file else text_of(data, *_IMAGES)
        image = image or text_of(data, "file_name")
        if not image:
            raise InputError(
                f"{where} has no image under the key 'image'. "
                f"{choose('--file-column', 'another key')}"
            )
        try:
            row = metadata_row({
                "label": only(choice_of(task, "" if columns.label == "choice" else columns.label)),
                "text": text_of(data, columns.caption or "caption", "text"),
                "split": data.get("split") or split_of(name),
            })  # fmt: skip
        except MultiLabelError as error:
            raise error.for_dataset(f"The image of {where}") from error
        yield Record(where, image, row, folder_of(name))


def choice_of(task: Mapping[str, Any], from_name: str = "") -> object:
    """Return the choice of a task: text, None without one, or a list of several choices.

    Of several annotations, a ground truth counts before others, and a later one before earlier
    ones. `from_name` is the name of the Choices tag, "" for any.
    """
    if "annotations" not in task:  # JSON-MIN
        value = task.get(from_name) if from_name else text_of(task, *_CHOICES) or None
        return value.get("choices") if isinstance(value, dict) else value
    done = [one for one in task["annotations"] if not one.get("was_cancelled")]
    done.sort(key=lambda one: (bool(one.get("ground_truth")), str(one.get("updated_at", ""))))
    return choices_in(done[-1].get("result", ()), from_name) if done else None


def choices_in(result: Sequence[Mapping[str, Any]], from_name: str = "") -> list[str]:
    """Return the choices in the result of an annotation."""
    return [
        str(choice)
        for one in result
        if one.get("type") == "choices" and from_name in ("", one.get("from_name"))
        for choice in one.get("value", {}).get("choices", ())
    ]


def _preview(contents: Contents) -> Preview:
    tasks = [
        task
        for document in contents.documents.values()
        if is_label_studio(document)
        for task in document
    ]
    return first_rows(task.get("data", task) | {"choice": choice_of(task)} for task in tasks)


LABEL_STUDIO = Format("label-studio", TITLE, _recognizes, _read, _preview)
