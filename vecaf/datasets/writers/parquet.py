"""Parquet files as `datasets` writes them: image bytes, class names in the schema, a dataset card.

data/train-00000-of-00002.parquet
README.md
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vecaf.datasets.export_images import SPLITS, Export, ExportedImage
from vecaf.datasets.writers.card import dataset_card, hub_split
from vecaf.datasets.writers.shards import shards

if TYPE_CHECKING:
    import pyarrow as pa

_ROW_GROUP = 100  # rows; the hub's viewer reads a row group at once


def parquet(export: Export) -> Iterator[tuple[str, bytes]]:
    """Yield Parquet files of limited size for each split, and a dataset card."""
    schema = _schema(export.classes)
    number = {name: i for i, name in enumerate(export.classes)}
    files = {}
    for split in SPLITS:
        groups = shards(export.of_split(split))
        for i, group in enumerate(groups):
            name = f"data/{hub_split(split)}-{i:05}-of-{len(groups):05}.parquet"
            yield name, _file(export, group, schema, number)
        if groups:
            files[split] = f"data/{hub_split(split)}-*.parquet"
    yield "README.md", dataset_card(export, files)


def _schema(classes: Sequence[str]) -> pa.Schema:
    """Return the schema with the features that `datasets` reads."""
    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = [("image", image)]
    features: dict[str, object] = {"image": {"_type": "Image"}}
    if classes:
        columns.append(("label", pa.int64()))
        features["label"] = {"names": list(classes), "_type": "ClassLabel"}
    columns.append(("text", pa.string()))
    features["text"] = {"dtype": "string", "_type": "Value"}
    stored = json.dumps({"info": {"features": features}}, ensure_ascii=False)
    return pa.schema(columns, metadata={"huggingface": stored})


def _file(
    export: Export, images: Sequence[ExportedImage], schema: pa.Schema, number: dict[str, int]
) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = []
    for one in images:
        content = export.read(one)
        if content is not None:
            path = one.file_name.rsplit("/", 1)[-1]
            label = None if one.label is None else number[one.label]
            row = {"image": {"bytes": content, "path": path}, "label": label, "text": one.text}
            rows.append(row)
    sink = io.BytesIO()
    table = pa.Table.from_pylist(rows, schema=schema)
    pq.write_table(table, sink, row_group_size=_ROW_GROUP, use_dictionary=["label"])
    return sink.getvalue()
