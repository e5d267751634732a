"""Hugging Face datasets on disk: folders of `save_to_disk` (Arrow), and Parquet files.

The image column has the bytes of image files, as datasets stores them: {bytes, path}, or bytes.
Class names come from the ClassLabel feature in the file's own schema.
Reference: https://huggingface.co/docs/datasets/about_dataset_features
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vecaf.datasets.archive import ByteBudget, Member
from vecaf.datasets.columns import Columns, choose
from vecaf.datasets.folder_layout import Place, Placement
from vecaf.datasets.formats.blobs import Blob, BlobSource, Spool, extension_of, unique
from vecaf.datasets.formats.placing import Files, folder_of, only, split_of
from vecaf.datasets.formats.reading import Contents, Format, Preview, Reading, first_rows
from vecaf.datasets.import_report import Refusal, Refused
from vecaf.datasets.metadata import MultiLabelError, metadata_row
from vecaf.datasets.names import clean_path
from vecaf.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

TITLE = "a Hugging Face dataset"
_ENDINGS = (".parquet", ".arrow")
_IMAGES = ("image", "img", "jpg", "png", "picture", "photo")
_LABELS = ("label", "labels", "class", "category", "target")
_CAPTIONS = ("text", "caption", "captions", "description", "prompt")


@dataclass(frozen=True)
class _Layout:
    """The columns of a file that are imported ("" if there is none), and the class names."""

    image: str
    label: str
    caption: str
    classes: list[str]

    @property
    def columns(self) -> list[str]:
        return [name for name in (self.image, self.label, self.caption) if name]


def _recognizes(contents: Contents) -> bool:
    return bool(contents.ending(*_ENDINGS))


def _read(contents: Contents) -> Reading:
    from vecaf.datasets.formats.arrow_files import batches, schema_of

    names = _data_files(contents)
    limits = contents.limits
    spool = Spool(contents.scratch, ByteBudget(limits.max_expanded_bytes), limits.max_member_bytes)
    members: list[Member] = []
    placement = Placement()
    files = Files(contents.source.members)
    for name in names:
        path = contents.file(name)
        layout = _layout(schema_of(path, name), name, contents.options.columns)
        number = 0
        for batch in batches(path, name, limits, layout.columns):
            for values in _rows(batch, layout):
                _add(name, number, values, layout, spool, members, placement, files, contents)
                number += 1
    spool.close()
    source = BlobSource(contents.source, members, list(contents.source.refused))
    return Reading(source, placement)


def _data_files(contents: Contents) -> list[str]:
    """Return the files of rows. Arrow's cache files beside a saved dataset are left out."""
    names = [
        name for name in contents.ending(*_ENDINGS) if "/cache-" not in f"/{name}"
    ]  # `map` and `filter` write them
    if not names:
        raise InputError(
            "There is no Parquet or Arrow file, so this is not a Hugging Face dataset."
        )
    return names


def _features(schema: pa.Schema) -> Mapping[str, Any]:
    """Return the features that datasets stores in the schema, by column."""
    try:
        stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = stored.get("info", {}).get("features") or {}
    except (ValueError, AttributeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _layout(schema: pa.Schema, name: str, columns: Columns) -> _Layout:
    columns.check(schema.names, name)
    features = _features(schema)
    classes = {
        key: one for key, one in features.items()
        if isinstance(one, dict) and one.get("_type") == "ClassLabel"
    }  # fmt: skip
    label = columns.label or _only(classes, name) or _first(_LABELS, schema.names)
    feature = features.get(label)
    if isinstance(feature, dict) and isinstance(feature.get("feature"), dict):  # a list of labels
        feature = feature["feature"]
    class_names = feature.get("names") if isinstance(feature, dict) else None
    caption = columns.caption or _first(_CAPTIONS, schema.names)
    return _Layout(
        columns.file or _image_column(schema, features, name),
        label,
        "" if caption == label else caption,
        [str(one) for one in class_names] if isinstance(class_names, list) else [],
    )


def _only(classes: Mapping[str, Any], name: str) -> str:
    """Return the one label column. Raises InputError if there are several."""
    if len(classes) > 1 and "label" not in classes:
        raise InputError(
            f"{name} has several columns of labels: {', '.join(classes)}. "
            f"{choose('--label-column')}"
        )
    return "label" if "label" in classes else next(iter(classes), "")


def _first(usual: tuple[str, ...], names: list[str]) -> str:
    return next((name for name in usual if name in names), "")


def _image_column(schema: pa.Schema, features: Mapping[str, Any], name: str) -> str:
    import pyarrow.types as kinds

    marked = [
        key
        for key, one in features.items()
        if isinstance(one, dict) and one.get("_type") == "Image"
    ]
    structs = [
        one.name for one in schema
        if kinds.is_struct(one.type) and one.type.get_field_index("bytes") >= 0
    ]  # fmt: skip
    binary = [
        one.name
        for one in schema
        if one.name in _IMAGES and (kinds.is_binary(one.type) or kinds.is_large_binary(one.type))
    ]
    found = [one for one in (*marked, *structs, *binary) if one in schema.names]
    if not found:
        raise InputError(
            f"{name} has no column of images. {choose('--file-column')} The columns: "
            f"{', '.join(schema.names)}."
        )
    return str(found[0])


def _rows(batch: pa.RecordBatch, layout: _Layout) -> Iterator[dict[str, object]]:
    columns = {name: batch.column(name) for name in layout.columns}
    for i in range(batch.num_rows):
        yield {name: column[i].as_py() for name, column in columns.items()}


def _add(
    name: str,
    number: int,
    values: Mapping[str, object],
    layout: _Layout,
    spool: Spool,
    members: list[Member],
    placement: Placement,
    files: Files,
    contents: Contents,
) -> None:
    """Add the image of a row, or a refusal."""
    where = f"{name}, row {number + 1}"
    split = split_of(name)
    try:
        key, own_name, size = _image(values[layout.image], files, folder_of(name), spool, contents)
        row = metadata_row({
            "label": only(_label(values.get(layout.label), layout.classes)),
            "text": values.get(layout.caption),
        })  # fmt: skip
        path = clean_path(f"{split or 'all'}/{own_name or f'{number:06}'}")
    except MultiLabelError as error:
        raise error.for_dataset(f"The image in {where}") from error
    except (InputError, Refused) as error:
        placement.refused.append(Refusal(where, str(error)))
        return
    path = unique(path, placement.places, len(members))
    placement.places[path] = Place(path, split, row.label, row.caption)
    members.append(Member(path, key, size))


def _image(
    value: object, files: Files, folder: str, spool: Spool, contents: Contents
) -> tuple[object, str, int]:
    """Return the key, the name and the size of an image: in the row, or a file that it names."""
    path = value.get("path") if isinstance(value, dict) else None
    content = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(value, str):
        path, content = value, None
    if isinstance(content, bytes):
        blob: Blob = spool.add(content)
        last = path.replace("\\", "/").rsplit("/", 1)[-1] if isinstance(path, str) else ""
        return blob, last or f"{blob.offset:012}{extension_of(content)}", blob.size
    found = files.find(path, folder) if isinstance(path, str) else None
    if found is None:
        raise Refused("it contains no image, and the file that it names was not found")
    member = contents.members[found]
    return member.key, found.rsplit("/", 1)[-1], member.size


def _label(value: object, classes: list[str]) -> object:
    """Return the class name of a ClassLabel value; −1 means unlabeled."""
    if isinstance(value, list):
        return [_label(one, classes) for one in value]
    if not classes or not isinstance(value, int):
        return value
    if value == -1:
        return None
    if 0 <= value < len(classes):
        return classes[value]
    raise InputError(f"its label is {value}, but there are only {len(classes)} class names")


def _preview(contents: Contents) -> Preview:
    from vecaf.datasets.formats.arrow_files import batches, schema_of

    def rows() -> Iterator[Mapping[str, object]]:
        for name in _data_files(contents):
            path = contents.file(name)
            schema = schema_of(path, name)
            features = _features(schema)
            classes = {
                key: one.get("names") or [] if isinstance(one, dict) else []
                for key, one in features.items()
            }
            for batch in batches(path, name, contents.limits, schema.names):
                for i in range(batch.num_rows):
                    row = {key: batch.column(key)[i].as_py() for key in schema.names}
                    yield {key: _shown(value, classes.get(key, [])) for key, value in row.items()}

    return first_rows(rows())


def _shown(value: object, classes: list[str]) -> object:
    if isinstance(value, dict) and "bytes" in value:
        return value.get("path") or value["bytes"]
    is_class = classes and isinstance(value, int) and 0 <= value < len(classes)
    return classes[value] if is_class and isinstance(value, int) else value


HUGGINGFACE = Format("huggingface", TITLE, _recognizes, _read, _preview)
