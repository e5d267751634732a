"""The first rows of a table (CSV, TSV, JSON lines) with its own column names, for previews."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping

from vecaf.datasets.metadata import delimiter_of, utf8
from vecaf.datasets.names import clean


def is_json_lines(name: str) -> bool:
    """Return whether a table has the name of a file of JSON lines."""
    return name.lower().endswith((".jsonl", ".ndjson"))


def raw_rows(content: bytes, name: str) -> Iterator[Mapping[str, object]]:
    """Yield the rows that can be read. Raises InputError if the file is not UTF-8."""
    text = utf8(content, name)
    if not is_json_lines(name):
        try:
            for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter_of(text)):
                yield {clean(key): value for key, value in row.items() if key}
        except csv.Error:  # the import itself reports it
            return
        return
    for line in text.split("\n"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
