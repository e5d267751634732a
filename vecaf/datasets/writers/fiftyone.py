"""FiftyOneImageClassificationDataset, one for each split. The format has no captions.

train/data/cat/photo.jpg
train/labels.json
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from vecaf.datasets.export_images import SPLITS, Export, unique_name


def fiftyone(export: Export) -> Iterator[tuple[str, bytes]]:
    """Yield the images and the labels of each split."""
    number = {name: i for i, name in enumerate(export.classes)}
    for split in SPLITS:
        labels: dict[str, int | None] = {}
        taken: dict[str, int] = {}
        images = export.of_split(split)
        for one in images:
            content = export.read(one)
            if content is None:
                continue
            stem, extension = one.file_name.removeprefix(f"{split}/").rsplit(".", 1)
            key = unique_name(stem, "", taken)  # labels.json has no extensions
            yield f"{split}/data/{key}.{extension}", content
            labels[key] = None if one.label is None else number[one.label]
        if images:
            document = {"classes": list(export.classes), "labels": labels}
            yield f"{split}/labels.json", json.dumps(document, ensure_ascii=False).encode()
