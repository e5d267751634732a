"""A CSV, TSV or JSON lines file that lists images by path or URL, with labels and captions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from vecaf.datasets.archive import Member
from vecaf.datasets.columns import USUAL, Columns, choose
from vecaf.datasets.folder_layout import Place, Placement, is_metadata
from vecaf.datasets.formats.placing import Files, Record, folder_of, place_records, split_of
from vecaf.datasets.formats.reading import Contents, Format, Preview, Reading, first_rows
from vecaf.datasets.formats.table_rows import is_json_lines, raw_rows
from vecaf.datasets.import_report import Refusal
from vecaf.datasets.metadata import (
    Metadata,
    MetadataRow,
    MultiLabelError,
    metadata_row,
    read_rows,
    with_whole_labels,
)
from vecaf.datasets.names import clean_path
from vecaf.errors import InputError

TITLE = "a table of images"
_FILES = (
    "file_name", "filename", "file", "filepath", "file_path", "path", "image", "image_path",
    "image_file", "image_id", "img", "img_path", "url", "image_url", "uri", "src",
)  # fmt: skip
_LABELS = (
    "label",
    "class",
    "class_name",
    "category",
    "label_name",
    "target",
    "labels",
    "cls",
    "choice",
)
_CAPTIONS = ("text", "caption", "description", "prompt", "txt")
_ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson")


def _tables(contents: Contents) -> list[str]:
    return [name for name in contents.ending(*_ENDINGS) if not is_metadata(name)]


def guessed(columns: Columns, found: list[str]) -> Columns:
    """Fill in the columns that are not chosen with those of a usual name, in any case."""
    lower = {name.lower(): name for name in reversed(found)}

    def first(own: str, names: tuple[str, ...]) -> str:
        return own or next((lower[name] for name in names if name in lower), "")

    return Columns(
        first(columns.file, _FILES), first(columns.label, _LABELS),
        first(columns.caption, _CAPTIONS),
    )  # fmt: skip


def _recognizes(contents: Contents) -> bool:
    """Return whether there are tables, but no metadata files, and one of them names images."""
    if any(map(is_metadata, contents.members)):
        return False
    files = Files(contents.source.members)
    for name in _tables(contents):
        preview = first_rows(raw_rows(contents.content(name), name))
        if _image_column(preview, files, folder_of(name)):
            return True
    return False


def _image_column(preview: Preview, files: Files, folder: str) -> str:
    """Return the first column whose values are URLs or names of image files; "" without one."""
    usual = guessed(USUAL, list(preview.columns)).file
    for column in sorted(preview.columns, key=lambda name: name != usual):
        values = [value for row in preview.rows if (value := row.get(column, ""))]
        if any(is_url(value) or files.find(value, folder) for value in values):
            return column
    return ""


def _preview(contents: Contents) -> Preview:
    preview = first_rows(_raw(contents))
    files = Files(contents.source.members)
    folders = {folder_of(name) for name in _tables(contents)}
    column = next((one for one in (_image_column(preview, files, f) for f in folders) if one), "")
    return replace(preview, images=column)


def _raw(contents: Contents) -> Iterator[Mapping[str, object]]:
    for name in _tables(contents):
        yield from raw_rows(contents.content(name), name)


def is_url(text: str) -> bool:
    return text.lower().startswith(("https://", "http://"))


def _read(contents: Contents) -> Reading:
    names = _tables(contents)
    if not names:
        raise InputError(f"There is no CSV, TSV or JSONL file, so this is not {TITLE}.")
    metadata: dict[str, Metadata] = {name: Metadata() for name in names}
    files = Files(contents.source.members)
    listed = [one for name in names for one in _records(contents, name, files, metadata[name])]
    rows = with_whole_labels({
        TITLE: replace(
            Metadata(), labeled=True, rows={str(i): one.row for i, one in enumerate(listed)}
        )
    })[TITLE].rows  # fmt: skip
    records = [replace(one, row=rows[str(i)]) for i, one in enumerate(listed)]
    remote = [one for one in records if is_url(one.image)]
    if remote:
        return _downloads(contents, records, remote, metadata)
    placement = place_records(records, files, TITLE)
    for one in metadata.values():
        placement.refused += one.refused
    return Reading(contents.source, placement)


def _records(contents: Contents, name: str, files: Files, metadata: Metadata) -> Iterator[Record]:
    content = contents.content(name)
    preview = first_rows(raw_rows(content, name))
    own = contents.options.columns
    if not own.file:
        own = replace(own, file=_image_column(preview, files, folder_of(name)))
    columns = guessed(own, list(preview.columns))
    if not columns.file:
        listed = ", ".join(preview.columns) or "none"
        raise InputError(
            f"No column of {name} contains the file names of the uploaded images. Put the images "
            f"into the folder of {name}. "
            f"{choose('--file-column')} The columns: {listed}."
        )
    split = split_of(name)
    kind = "rows.jsonl" if is_json_lines(name) else name
    for line, values in read_rows(content, kind, metadata, columns):
        where = f"{name}, line {line}"
        image = values.get("file_name")
        try:
            if not isinstance(image, str) or not image.strip():
                raise InputError("it has no image")
            row = metadata_row(values)
        except MultiLabelError as error:
            raise error.for_dataset(f"The image in {where}") from error
        except InputError as error:
            metadata.refused.append(Refusal(where, str(error)))
            continue
        row = MetadataRow(row.label, row.caption, row.split or split)
        yield Record(where, image.strip(), row, folder_of(name))


def _downloads(
    contents: Contents, records: list[Record], remote: list[Record], metadata: dict[str, Metadata]
) -> Reading:
    if not contents.options.fetch_urls:
        raise InputError(
            f"{remote[0].where} has the URL of an image ({remote[0].image[:100]}). To download the "
            "images, import on the command line with --fetch-urls."
        )
    local = [one for one in records if not is_url(one.image)]
    files = Files(contents.source.members)
    placement = place_records(local, files, TITLE) if local else Placement()
    members = list(contents.source.members)
    for table in metadata.values():
        placement.refused += table.refused
    seen: set[str] = set()
    for number, one in enumerate(remote):
        parts = urlsplit(one.image)
        try:
            name = clean_path(f"{parts.hostname or ''}/{parts.path.strip('/') or number}")
        except (InputError, ValueError) as error:
            placement.refused.append(Refusal(one.where, str(error)))
            continue
        if one.image in seen:
            reason = f"{one.where} lists it again; only the first entry is used"
            placement.refused.append(Refusal(name, reason))
            continue
        seen.add(one.image)
        if name in placement.places:
            name = f"{number}/{name}"
        placement.places[name] = Place(name, one.row.split, one.row.label, one.row.caption)
        members.append(Member(name, one.image, 0))
    from vecaf.datasets.formats.urls import UrlSource  # imports httpx, which takes a while

    return Reading(UrlSource(contents.source, members, contents.limits), placement)


TABLE = Format("table", TITLE, _recognizes, _read, _preview)
