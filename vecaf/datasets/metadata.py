"""metadata.csv and metadata.jsonl, as Hugging Face's imagefolder has them.

Columns that count: `file_name` (relative to the metadata file's folder), `label` (text or a
number), `text` or `caption`, and `split`; others are ignored.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from vecaf.datasets.names import MAX_NAME, clean, clean_path
from vecaf.datasets.report import Refusal
from vecaf.errors import InputError
from vecaf.store import TEST, TRAIN, VAL

CSV, JSONL = "metadata.csv", "metadata.jsonl"
MAX_CAPTION = 10_000  # characters
SPLITS = {
    "train": TRAIN, "training": TRAIN, "val": VAL, "valid": VAL, "validation": VAL, "dev": VAL,
    "test": TEST, "testing": TEST,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one image; None where the metadata doesn't say."""

    label: str | None = None
    caption: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Metadata:
    """The rows of one metadata file by file name, and the rows that could not be used."""

    rows: dict[str, Row] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    labeled: bool = False  # whether there is a label column at all


def parse_metadata(content: bytes, name: str) -> Metadata:
    """Parse the file called `name`; its ending decides between CSV and JSON lines.

    A row that makes no sense is refused, by its line number. Raises InputError when the file as a
    whole can't be used: nothing in it could be trusted then.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text. Save it as UTF-8.") from error
    read = _json_lines if name.lower().endswith(".jsonl") else _csv_rows
    metadata = Metadata()
    labeled = False
    for line, values in read(text, name, metadata.refused):
        labeled = labeled or "label" in values
        try:
            path = clean_path(_text(values.get("file_name")) or "")
            if path in metadata.rows:
                raise InputError(f"{path} has a row already; the first was taken")
            metadata.rows[path] = _row(values)
        except InputError as error:
            metadata.refused.append(Refusal(f"{name}, line {line}", str(error)))
    return Metadata(metadata.rows, metadata.refused, labeled)


def with_whole_labels(files: Mapping[str, Metadata]) -> dict[str, Metadata]:
    """The files of one dataset with labels '3' for '3.0' where they are all whole numbers and one
    is missing: there pandas writes a CSV's numbers so, in this file though not in another."""
    labels = {row.label for one in files.values() for row in one.rows.values() if one.labeled}
    whole = all(_WHOLE.fullmatch(label) for label in labels if label)
    if None not in labels or not whole:
        return dict(files)
    return {name: replace(one, rows=_shortened(one.rows)) for name, one in files.items()}


def _shortened(rows: Mapping[str, Row]) -> dict[str, Row]:
    return {
        name: replace(row, label=row.label.removesuffix(".0")) if row.label else row
        for name, row in rows.items()
    }


_WHOLE = re.compile(r"[0-9]+(\.0)?")


def _csv_rows(
    text: str, name: str, refused: list[Refusal]
) -> Iterator[tuple[int, Mapping[str, object]]]:
    header = text[: text.find("\n") + 1] or text
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = [clean(column) for column in next(reader, [])]
        if "file_name" not in columns:
            raise InputError(
                f"{name} has no column file_name. Its first line must name the columns, "
                "as in: file_name,label,text"
            )
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(columns):
                reason = f"it has {len(cells)} cells where the first line has {len(columns)}"
                refused.append(Refusal(f"{name}, line {reader.line_num}", reason))
                continue
            yield reader.line_num, dict(zip(columns, map(_unguarded, cells), strict=True))
    except csv.Error as error:
        raise InputError(
            f"{name} can't be read as CSV from line {reader.line_num} on ({error}). Mend it there."
        ) from error


_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def guarded(cell: str) -> str:
    """A cell as the studio writes it: a spreadsheet runs text that begins like a formula, and an
    apostrophe keeps it text. `_unguarded` takes one away again."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _json_lines(
    text: str, name: str, refused: list[Refusal]
) -> Iterator[tuple[int, Mapping[str, object]]]:
    # Only line feeds part lines: splitlines() would also break at U+2028 inside a string.
    for line, source in enumerate(text.split("\n"), start=1):
        if not source.strip():
            continue
        try:
            values = json.loads(source)
        except (ValueError, RecursionError):
            refused.append(Refusal(f"{name}, line {line}", "it is not a JSON object"))
            continue
        if not isinstance(values, dict):
            refused.append(Refusal(f"{name}, line {line}", "it is not a JSON object"))
            continue
        yield line, values


def _row(values: Mapping[str, object]) -> Row:
    caption = _text(values.get("text")) or _text(values.get("caption"))
    if caption and len(caption) > MAX_CAPTION:
        raise InputError(f"its text is longer than {MAX_CAPTION:,} characters")
    label = _text(values.get("label"))
    if label and len(label) > MAX_NAME:
        raise InputError(f"its label is longer than {MAX_NAME} characters")
    split = _text(values.get("split"))
    if split and split.casefold() not in SPLITS:
        raise InputError(f"its split is '{split[:40]}'; it can be train, val or test")
    return Row(label or None, caption or None, SPLITS[split.casefold()] if split else None)


def _text(value: object) -> str | None:
    """A cell as cleaned text; whole numbers lose a trailing '.0' that spreadsheets add. None for
    NaN: pandas writes it into JSON for what is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str | int | float):
        return clean(str(value))
    raise InputError("a value in it is neither text nor a number")
