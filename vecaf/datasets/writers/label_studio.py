"""Label Studio: the images, tasks with labels or predictions, and a labeling configuration.

    tasks.json       import it in Label Studio
    config.xml       the labeling configuration, with the classes
    train/cat/photo.jpg

The tasks name images by Label Studio's local storage, relative to its document root.
Reference: https://labelstud.io/guide/tasks
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from vecaf.datasets.export_images import Export, ExportedImage

FROM_NAME, TO_NAME = "choice", "image"
SAMPLE_ID = "sample_id"
"""The key of a task's data that identifies the image when labels come back."""


@dataclass(frozen=True)
class Suggestion:
    """A suggested label, its probability, and the model that suggests it."""

    label: str
    score: float
    model: str


def label_studio(export: Export) -> Iterator[tuple[str, bytes]]:
    """Yield the images, their tasks and a labeling configuration."""
    yield from labeling_project(export, {})


def labeling_project(
    export: Export, suggestions: Mapping[int, Suggestion]
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a project. `suggestions` by sample id become predictions."""
    for one in export.images:
        content = export.read(one)
        if content is not None:
            yield one.file_name, content
    tasks = [task(one, suggestions.get(one.id)) for one in export.kept]
    yield "tasks.json", json.dumps(tasks, ensure_ascii=False, indent=1).encode()
    yield "config.xml", _configuration(export).encode()


def task(one: ExportedImage, suggestion: Suggestion | None = None) -> dict[str, Any]:
    """Return the task of an image, with its label as an annotation."""
    found: dict[str, Any] = {
        "data": {
            "image": f"/data/local-files/?d={quote(one.file_name)}",
            SAMPLE_ID: one.id,
            "split": one.split,
        }
    }
    if one.text:
        found["data"]["caption"] = one.text
    if one.label is not None:
        found["annotations"] = [{"result": [_choice(one.label)]}]
    if suggestion is not None:
        found["predictions"] = [{
            "result": [_choice(suggestion.label)],
            "score": suggestion.score,
            "model_version": suggestion.model,
        }]  # fmt: skip
    return found


def _choice(label: str) -> dict[str, Any]:
    return {
        "from_name": FROM_NAME,
        "to_name": TO_NAME,
        "type": "choices",
        "value": {"choices": [label]},
    }


def _configuration(export: Export) -> str:
    choices = "".join(f"    <Choice value={quoteattr(name)}/>\n" for name in export.classes)
    return (
        f'<View>\n  <Image name="{TO_NAME}" value="$image"/>\n'
        f'  <Choices name="{FROM_NAME}" toName="{TO_NAME}" choice="single">\n'
        f"{choices}  </Choices>\n</View>\n"
    )
