"""WebDataset shards: tar files in which files of the same name, up to the first dot, are a sample.

    train-000000.tar: 000001.jpg 000001.cls 000001.txt 000002.jpg …

`cls` is the class, `txt` the caption, and `json` may have both. Pickles are never loaded.
Reference: https://github.com/webdataset/webdataset
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vecaf.datasets.archive import CHUNK, RATIO_APPLIES_FROM, ByteBudget, Member
from vecaf.datasets.columns import Columns
from vecaf.datasets.folder_layout import Place, Placement
from vecaf.datasets.formats.blobs import Blob, BlobSource, unique
from vecaf.datasets.formats.placing import folder_of, split_of
from vecaf.datasets.formats.reading import Contents, Format, Preview, Reading, first_rows
from vecaf.datasets.import_report import Refusal
from vecaf.datasets.metadata import MultiLabelError, metadata_row
from vecaf.datasets.names import clean_path, looks_like_image
from vecaf.errors import InputError
from vecaf.files import convert_disk_full_errors
from vecaf.wording import plural

TITLE = "a WebDataset"
_ENDINGS = (".tar", ".tar.gz", ".tgz")
_PICKLES = ("pyd", "pickle", "pkl", "pth", "pt", "npy", "npz")
_MAX_TEXT = 1 << 20  # bytes of a cls, json or txt file
_CLASS_FILES = ("classes.txt", "classnames.txt")


@dataclass
class _Sample:
    """The files of a sample by extension."""

    key: str
    image: tuple[str, Blob] | None = None
    texts: dict[str, bytes] = field(default_factory=dict)


@dataclass
class _Found:
    """What the shards of a dataset contain."""

    members: list[Member] = field(default_factory=list)
    placement: Placement = field(default_factory=Placement)
    pickles: int = 0
    without_image: int = 0


def _read(contents: Contents) -> Reading:
    names = contents.ending(*_ENDINGS)
    if not names:
        raise InputError("There is no tar file, so this is not a WebDataset.")
    found = _Found()
    for name in names:
        classes = _classes(contents, folder_of(name))
        for sample in _samples(contents, name, found):
            _place(sample, name, classes, contents.options.columns, found)
    if found.pickles:
        found.placement.warnings.append(
            f"{plural(found.pickles, 'pickle or NumPy file')} ignored, since loading them can run "
            "code."
        )
    if found.without_image:
        found.placement.warnings.append(
            f"{plural(found.without_image, 'sample has', 'samples have')} no image."
        )
    source = BlobSource(contents.source, found.members, list(contents.source.refused))
    return Reading(source, found.placement)


def _samples(contents: Contents, name: str, found: _Found) -> Iterator[_Sample]:
    """Yield the samples of a shard. A damaged shard ends early, with a refusal."""
    path = contents.file(name)
    if not name.lower().endswith(".tar"):
        path = _expanded(path, name, contents)
    sample: _Sample | None = None
    try:
        with tarfile.open(path, "r:") as shard, path.open("rb") as raw:
            while (info := shard.next()) is not None:
                shard.members = []  # type: ignore[attr-defined]  # tarfile keeps all of them, which takes memory
                if len(found.members) > contents.limits.max_members:
                    raise InputError(
                        f"The shards hold more than {contents.limits.max_members:,} images, the "
                        "limit for one import (VECAF_MAX_MEMBERS)."
                    )
                if info.isdir():
                    continue
                if not info.isreg() or info.issparse():
                    reason = "it is a link or another special file in a tar file"
                    found.placement.refused.append(Refusal(f"{name}/{info.name}", reason))
                    continue
                key, extension = _split(info.name)
                if sample is None or key != sample.key:
                    if sample is not None:
                        yield sample
                    sample = _Sample(key)
                blob = Blob(path, info.offset_data, info.size)
                if extension.rsplit(".", 1)[-1] in _PICKLES:
                    found.pickles += 1
                elif looks_like_image(f".{extension}"):
                    sample.image = sample.image or (extension, blob)
                elif info.size <= _MAX_TEXT:
                    raw.seek(blob.offset)
                    sample.texts[extension] = raw.read(blob.size)
            raw.seek(shard.offset)
            if not raw.read(1):  # a complete tar file ends with blocks of zeros
                raise tarfile.ReadError("its end is missing")
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        reason = f"it is not a complete tar file ({error}); images up to the damage were imported"
        found.placement.refused.append(Refusal(name, reason))
    if sample is not None:
        yield sample


def _split(name: str) -> tuple[str, str]:
    """Return the key of a member and its extension, which may have several dots."""
    folder, last = folder_of(name), name.rsplit("/", 1)[-1]
    stem, _, extension = last.partition(".")
    return folder + stem, extension.lower()


def _place(
    sample: _Sample, shard: str, classes: list[str], columns: Columns, found: _Found
) -> None:
    if sample.image is None:
        found.without_image += 1
        return
    extension, blob = sample.image
    where = f"{shard}/{sample.key}.{extension}"
    try:
        name = clean_path(f"{_stem(shard)}/{sample.key}.{extension}")
        row = metadata_row(_values(sample, columns))
        if classes and row.label is not None:
            row = replace(row, label=_class_name(row.label, classes))
    except MultiLabelError as error:
        raise error.for_dataset(f"The sample '{sample.key}' in {shard}") from error
    except InputError as error:
        found.placement.refused.append(Refusal(where, str(error)))
        return
    name = unique(name, found.placement.places, len(found.members))
    split = row.split or split_of(shard)
    found.placement.places[name] = Place(name, split, row.label, row.caption)
    found.members.append(Member(name, blob, blob.size))


def _stem(shard: str) -> str:
    return re.sub(r"(\.tar(\.gz)?|\.tgz)$", "", shard, flags=re.IGNORECASE)


def _values(sample: _Sample, columns: Columns) -> dict[str, object]:
    """Return label, text and split from a sample's files."""
    values: dict[str, object] = {}
    fields = _fields(sample)
    if "json" in sample.texts:
        usual = {columns.standard(key): value for key, value in fields.items()}
        label = next((usual[key] for key in ("label", "cls", "class") if key in usual), None)
        values |= {"label": label, "text": usual.get("text") or usual.get("caption")}
        values["split"] = usual.get("split")
    for extension, key in (("cls", "label"), ("cls.txt", "label"), ("txt", "text")):
        chosen = columns.label if key == "label" else columns.caption
        if extension in sample.texts and chosen in ("", extension):
            values[key] = _text(sample.texts[extension], extension)
    return values


def _fields(sample: _Sample) -> Mapping[str, Any]:
    if "json" not in sample.texts:
        return {}
    try:
        fields = json.loads(sample.texts["json"])
    except (ValueError, RecursionError) as error:
        raise InputError("its json file is not valid JSON") from error
    if not isinstance(fields, dict):
        raise InputError("its json file is not an object")
    return fields


def _text(content: bytes, extension: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"its {extension} file is not UTF-8 text") from error


def _classes(contents: Contents, folder: str) -> list[str]:
    """Return the class names in classes.txt beside a shard, one per line."""
    for name in _CLASS_FILES:
        if f"{folder}{name}" in contents.members:
            content = contents.content(f"{folder}{name}")
            return content.decode("utf-8-sig", errors="replace").split("\n")
    return []


def _class_name(label: str, classes: list[str]) -> str:
    number = int(label) if label.isascii() and label.isdecimal() else -1
    return classes[number].strip() if 0 <= number < len(classes) else label


def _expanded(path: Path, name: str, contents: Contents) -> Path:
    """Return a decompressed copy of a shard. Raises InputError for a decompression bomb."""
    budget = ByteBudget(contents.limits.max_expanded_bytes)
    most = max(path.stat().st_size * contents.limits.max_ratio, RATIO_APPLIES_FROM)
    size = 0
    with tempfile.NamedTemporaryFile(dir=contents.scratch, delete=False) as copy:
        try:
            with gzip.open(path) as stream:
                while chunk := stream.read(CHUNK):
                    size += len(chunk)
                    budget.spend(len(chunk))
                    if size > most:
                        raise InputError(
                            f"{name} was not read: it expands to far more than its compressed "
                            "size, like a decompression bomb. Save it as a plain tar file."
                        )
                    with convert_disk_full_errors():
                        copy.write(chunk)
        except (gzip.BadGzipFile, zlib.error, EOFError):
            pass  # a truncated shard: the tar file shows where it ends
    return Path(copy.name)


def _preview(contents: Contents) -> Preview:
    def rows() -> Iterator[Mapping[str, object]]:
        for name in contents.ending(*_ENDINGS):
            for sample in _samples(contents, name, _Found()):
                texts = {
                    key: value.decode("utf-8", errors="replace")
                    for key, value in sample.texts.items()
                    if key != "json"
                }
                yield {"sample": sample.key, **texts, **_fields(sample)}

    return first_rows(rows())


def _recognizes(contents: Contents) -> bool:
    return bool(contents.ending(*_ENDINGS))


WEBDATASET = Format("webdataset", TITLE, _recognizes, _read, _preview)
