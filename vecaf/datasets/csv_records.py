"""Read the records of a CSV file so that an unclosed quote loses only one line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

# A longer quoted cell counts as a missing closing quote.
MAX_LINES, MAX_CHARACTERS = 1000, 1_000_000
MAX_MISTAKES = 1000


class TooManyMistakesError(Exception):
    """More than MAX_MISTAKES quotes in a file are not closed."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record: its first line number and its cells, which are None if a quote is not closed."""

    line: int
    cells: list[str] | None


@dataclass
class Table:
    """A CSV file with a header. `line` is the number of the line being read."""

    lines: Sequence[str]
    delimiter: str
    columns: list[str] = field(init=False)
    line: int = field(init=False, default=1)
    _first: int = field(init=False)  # index of the line after the header

    def __post_init__(self) -> None:
        reader = csv.reader(self.lines, delimiter=self.delimiter)
        self.columns = next(reader, [])
        self._first = reader.line_num

    def records(self, is_record: Callable[[list[str]], bool]) -> Iterator[Record]:
        """Yield the records below the header.

        A quoted cell can contain line breaks. If its closing quote is missing, the cell would
        continue to the next quote in the file. A closing quote counts as missing if the quotes of
        the record don't match, or if `is_record` says that a line within it is a complete record.
        Then only the line with the open quote is lost.

        Raises
        ------
        csv.Error
            A line can't be read.
        TooManyMistakesError
            More than MAX_MISTAKES quotes are not closed.
        """
        start = self._first
        mistakes = 0
        while start < len(self.lines):
            for record, end in self._run(start, is_record):
                yield record
                start = end
                if record.cells is None:
                    mistakes += 1
                    break
            else:
                return
            if mistakes > MAX_MISTAKES:
                raise TooManyMistakesError

    def _run(
        self, start: int, is_record: Callable[[list[str]], bool]
    ) -> Iterator[tuple[Record, int]]:
        """Yield (record, index of the next line) from line index `start` to the first mistake."""
        begun = start

        def fed() -> Iterator[str]:
            size = 0
            for index in range(start, len(self.lines)):
                size = 0 if index == begun else size + len(self.lines[index])
                if index - begun >= MAX_LINES or size > MAX_CHARACTERS:
                    return
                yield self.lines[index]

        reader = csv.reader(fed(), delimiter=self.delimiter)
        while begun < len(self.lines):
            self.line = begun + 1
            try:
                cells = next(reader)
                closed = self._is_closed(begun, start + reader.line_num, is_record)
            except csv.Error:  # a cell is too long
                if start + reader.line_num - begun == 1:
                    raise
                closed = False
            if not closed:
                yield Record(self.line, None), begun + 1
                return
            yield Record(self.line, cells), start + reader.line_num
            begun = start + reader.line_num

    def _is_closed(self, begun: int, end: int, is_record: Callable[[list[str]], bool]) -> bool:
        """Return whether the record in the lines from `begun` to `end` (exclusive) is complete."""
        lines = self.lines[begun:end]
        if len(lines) == 1:
            return end < len(self.lines) or len(self._cells([*lines, ""])) == 2
        try:
            self._cells([*lines], strict=True)
        except csv.Error:
            return False
        return not any(is_record(cells) for line in lines[1:] for cells in self._cells([line]))

    def _cells(self, lines: list[str], *, strict: bool = False) -> list[list[str]]:
        return list(csv.reader(lines, delimiter=self.delimiter, strict=strict))
