"""Read metadata.csv and metadata.jsonl, in the format of Hugging Face's imagefolder.

The columns are `file_name` (relative to the metadata file's folder), `label` (text or a number),
`text` or `caption`, and `split`; others are ignored. In a CSV, cells that pandas reads as missing
(empty, "nan", "None", "NA" …) are empty. An apostrophe in front ('None) makes them text.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vecaf.datasets.columns import USUAL, Columns, choose
from vecaf.datasets.csv_records import MAX_MISTAKES, Table, TooManyMistakesError
from vecaf.datasets.import_report import Refusal
from vecaf.datasets.names import MAX_NAME, clean, clean_path, looks_like_image
from vecaf.errors import InputError
from vecaf.store import TEST, TRAIN, VAL

CSV, JSONL = "metadata.csv", "metadata.jsonl"
MAX_CAPTION = 10_000  # characters
SPLITS = {
    "train": TRAIN, "training": TRAIN, "val": VAL, "valid": VAL, "validation": VAL, "dev": VAL,
    "test": TEST, "testing": TEST,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class MetadataRow:
    """The metadata of one image; None for missing values."""

    label: str | None = None
    caption: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Metadata:
    """The rows of one metadata file by image file name, and its invalid rows.

    `missing` counts the label cells that mean "no label", by spelling.
    """

    rows: dict[str, MetadataRow] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)
    labeled: bool = False  # whether the file has a label column


def parse_metadata(content: bytes, name: str, columns: Columns = USUAL) -> Metadata:
    """Parse a metadata file as CSV or JSON lines, depending on the extension of `name`.

    Invalid rows are listed with their line numbers in `refused`. Raises InputError if the whole
    file can't be read, or has none of the given `columns`.
    """
    metadata = Metadata()
    labeled = False
    for line, values in read_rows(content, name, metadata, columns):
        labeled = labeled or "label" in values
        try:
            path = clean_path(_text(values.get("file_name")) or "")
            if path in metadata.rows:
                raise InputError(f"{path} already has a row; only the first row is used")
            metadata.rows[path] = metadata_row(values)
        except MultiLabelError as error:
            raise error.for_dataset(f"The image in {name}, line {line},") from error
        except InputError as error:
            metadata.refused.append(Refusal(f"{name}, line {line}", str(error)))
    return replace(metadata, labeled=labeled)


def read_rows(
    content: bytes, name: str, metadata: Metadata, columns: Columns = USUAL
) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the line number and the values of each row, with the usual names of the columns.

    Rows that can't be read and missing labels are added to `metadata`. Raises the errors of
    `parse_metadata`.
    """
    read = _json_lines if name.lower().endswith(".jsonl") else _csv_rows
    return read(utf8(content, name), name, metadata, columns)


def utf8(content: bytes, name: str) -> str:
    """Decode a text file. Raises InputError if it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text. Save it as UTF-8 and try again.") from error


def with_whole_labels(files: Mapping[str, Metadata]) -> dict[str, Metadata]:
    """Replace labels such as '3.0' by '3' if all labels are whole numbers and some are missing.

    pandas writes a column of whole numbers as floats if a value is missing. This can affect only
    some of the metadata files of a dataset.
    """
    labels = {row.label for one in files.values() for row in one.rows.values() if one.labeled}
    whole = all(_WHOLE.fullmatch(label) for label in labels if label)
    if None not in labels or not whole:
        return dict(files)
    return {name: replace(one, rows=_shortened(one.rows)) for name, one in files.items()}


def _shortened(rows: Mapping[str, MetadataRow]) -> dict[str, MetadataRow]:
    return {
        name: replace(row, label=row.label.removesuffix(".0")) if row.label else row
        for name, row in rows.items()
    }


_WHOLE = re.compile(r"[0-9]+(\.0)?")


def delimiter_of(text: str) -> str:
    """Return the delimiter of a CSV file: the most frequent candidate in its first line."""
    header = text[: text.find("\n") + 1] or text
    return max(",;\t", key=header.count)


def _csv_rows(
    text: str, name: str, metadata: Metadata, mapping: Columns
) -> Iterator[tuple[int, Mapping[str, object]]]:
    delimiter = delimiter_of(text)
    lines = io.StringIO(text, newline="").readlines()
    table = None
    try:
        table = Table(lines, delimiter)
        own = [clean(column) for column in table.columns]
        mapping.check(own, name)
        columns = [mapping.standard(column) for column in own]
        if "file_name" not in columns:
            raise InputError(
                f"{name} has no column file_name. Its first line must contain the column names, "
                f"for example: file_name,label,text. {choose('--file-column', 'another column')}"
            )
        files = columns.index("file_name")

        def is_record(cells: list[str]) -> bool:
            return len(cells) == len(columns) and looks_like_image(cells[files])

        for record in table.records(is_record):
            cells = record.cells
            if cells is None:
                reason = "the row can't be read, because it has a quote that is not closed"
            elif not any(cells):
                continue
            elif len(cells) != len(columns):
                reason = f"the row has {len(cells)} cells, but the first line has {len(columns)}"
            else:
                yield record.line, _values(columns, cells, metadata.missing)
                continue
            metadata.refused.append(Refusal(f"{name}, line {record.line}", reason))
    except csv.Error as error:
        raise InputError(
            f"{name} can't be read as CSV from line {table.line if table else 1} on ({error}). "
            "Correct this line and try again."
        ) from error
    except TooManyMistakesError as error:
        raise InputError(
            f"{name} has more than {MAX_MISTAKES:,} quotes that are not closed. Save it again as "
            "CSV, and double every quote inside a cell."
        ) from error


def _values(columns: list[str], cells: list[str], missing: Counter[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column != "file_name" and cell.strip() in MISSING:
            values[column] = None
            if column == "label" and cell.strip():
                missing[cell.strip()] += 1
        else:
            values[column] = _unguarded(cell)
    return values


# The values that pandas reads as missing (pandas.read_csv, na_values).
MISSING = frozenset({
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
})  # fmt: skip
_GUARDED = re.compile(
    rf"'*(?:[=+\-@\t\r]|\s*(?:{'|'.join(map(re.escape, filter(None, MISSING)))})\s*\Z)"
)


def guarded(cell: str) -> str:
    """Return a cell's text for a CSV file, with an apostrophe in front if it needs one.

    Spreadsheets execute text that looks like a formula, and "None" means a missing value. With an
    apostrophe in front, both are text. `_unguarded` removes it.
    """
    return f"'{cell}" if _GUARDED.match(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _GUARDED.match(cell) else cell


def _json_lines(
    text: str, name: str, metadata: Metadata, mapping: Columns
) -> Iterator[tuple[int, Mapping[str, object]]]:
    keys: dict[str, None] = {}
    # Split only at line feeds: splitlines() would also split at U+2028 inside a string.
    for line, source in enumerate(text.split("\n"), start=1):
        if not source.strip():
            continue
        try:
            values = json.loads(source)
        except (ValueError, RecursionError):
            metadata.refused.append(Refusal(f"{name}, line {line}", "it is not a JSON object"))
            continue
        if not isinstance(values, dict):
            metadata.refused.append(Refusal(f"{name}, line {line}", "it is not a JSON object"))
            continue
        keys.update(dict.fromkeys(values))
        yield line, {mapping.standard(key): value for key, value in values.items()}
    mapping.check(keys, name)


def metadata_row(values: Mapping[str, object]) -> MetadataRow:
    """Return the label, caption and split in a row. Raises InputError with the reason."""
    caption = _text(values.get("text")) or _text(values.get("caption"))
    if caption and len(caption) > MAX_CAPTION:
        raise InputError(f"its caption is longer than {MAX_CAPTION:,} characters")
    label = label_text(values.get("label"))
    if label and len(label) > MAX_NAME:
        raise InputError(f"its label is longer than {MAX_NAME} characters")
    split = _text(values.get("split"))
    if split and split.casefold() not in SPLITS:
        raise InputError(f"its split is '{split[:40]}' instead of train, val or test")
    return MetadataRow(label or None, caption or None, SPLITS[split.casefold()] if split else None)


def label_text(value: object) -> str | None:
    """Return a label as text. Raises InputError if it is a list of several labels."""
    if isinstance(value, list) and len(value) > 1:
        raise MultiLabelError([str(one) for one in value])
    return _text(value)


class MultiLabelError(InputError):
    """An image has several labels, so the dataset can't be imported."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = labels
        super().__init__(f"it has several labels ({_listed(labels)})")

    def for_dataset(self, where: str) -> InputError:
        """Return the error for a whole dataset; `where` names an image with several labels."""
        return InputError(
            f"{where} has several labels ({_listed(self.labels)}). The studio supports one label "
            "per image. Keep one label per image and try again. To import the images without "
            "labels, leave out the file with the labels."
        )


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(clean(label)[:60] for label in labels[:3]) + (" …" if len(labels) > 3 else "")


def _text(value: object) -> str | None:
    """Return a cell as cleaned text, whole numbers without '.0'.

    Returns None for NaN, which pandas writes to JSON for missing values.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str | int | float):
        return clean(str(value))
    raise InputError("one of its values is neither text nor a number")
