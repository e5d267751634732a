"""COCO JSON: the image folders, and image-level categories and captions by split.

train/cat/photo.jpg
annotations/instances_train.json    categories
annotations/captions_train.json     captions, if there are any
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from vecaf.datasets.export_images import SPLITS, Export, ExportedImage


def coco(export: Export) -> Iterator[tuple[str, bytes]]:
    """Yield the images and the annotations of each split."""
    for split in SPLITS:
        done = len(export.kept)
        for one in export.of_split(split):
            content = export.read(one)
            if content is not None:
                yield one.file_name, content
        kept = export.kept[done:]
        if not kept:
            continue
        images = [
            {
                "id": i,
                "file_name": one.file_name,
                "width": one.width,
                "height": one.height,
            }
            for i, one in enumerate(kept)
        ]
        yield f"annotations/instances_{split}.json", _categories(export.classes, kept, images)
        captions = [
            {"id": i, "image_id": i, "caption": one.text} for i, one in enumerate(kept) if one.text
        ]
        if captions:
            document = {"images": images, "annotations": captions}
            yield f"annotations/captions_{split}.json", _json(document)


def _categories(
    classes: Sequence[str], kept: Sequence[ExportedImage], images: list[dict[str, Any]]
) -> bytes:
    """Return annotations in which the category of an image covers the whole image."""
    number = {name: i for i, name in enumerate(classes, start=1)}
    annotations = [
        {
            "id": i,
            "image_id": i,
            "category_id": number[one.label],
            "bbox": [0, 0, one.width, one.height],
            "area": one.width * one.height,
            "iscrowd": 0,
        }
        for i, one in enumerate(kept)
        if one.label is not None
    ]
    categories = [{"id": i, "name": name} for name, i in number.items()]
    return _json({"images": images, "annotations": annotations, "categories": categories})


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
