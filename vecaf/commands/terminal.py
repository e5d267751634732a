"""How commands speak: a table or one JSON object on standard output, progress on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

PAINT_SECONDS = 0.2


def show(payload: dict[str, Any], text: str, as_json: bool) -> None:
    """Print `payload` as one JSON object, or `text` for people."""
    print(_json(payload) if as_json else text)


def complain(message: str, as_json: bool) -> None:
    """Say what went wrong: on standard error, or as the JSON object that was asked for."""
    if as_json:
        print(_json({"error": message}))
    else:
        print(f"vecaf: {message}", file=sys.stderr)


def _json(payload: dict[str, Any]) -> str:
    """Readable where the output can hold it; JSON's own escapes anywhere."""
    return json.dumps(payload, ensure_ascii=(sys.stdout.encoding or "").lower() != "utf-8")


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns aligned by spaces, numbers to the right; an empty string for no rows."""
    if not rows:
        return ""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(heads, *cells, strict=True)]
    columns = list(zip(*rows, strict=True))
    numeric = [all(isinstance(value, int | float) for value in column) for column in columns]
    lines = [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in [list(heads), *cells]
    ]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


class Bar:
    """Progress on standard error: one line, painted a few times a second, only on a terminal."""

    def __init__(self) -> None:
        self._due = 0.0
        self._began: dict[str, tuple[float, int]] = {}
        self._width = 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        moment = time.monotonic()
        began, first = self._began.setdefault(stage, (moment, done))
        last = total > 0 and done >= total
        if not sys.stderr.isatty() or (moment < self._due and not last):
            return
        self._due = moment + PAINT_SECONDS
        line = stage
        if total:
            line += f" {done:,} / {total:,}"
            if first < done < total:
                left = (moment - began) / (done - first) * (total - done)
                line += f", {_duration(left)} left"
        print(f"\r{line.ljust(self._width)}", end="\n" if last else "", file=sys.stderr, flush=True)
        self._width = 0 if last else max(self._width, len(line))

    def of(self, stage: str) -> Callable[[int, int], None]:
        """A callback of one stage: (done, total)."""
        return lambda done, total: self(stage, done, total)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
