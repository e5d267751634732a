"""What commands print: text or one JSON object on standard output, progress on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

REFRESH_SECONDS = 0.2


def print_result(payload: dict[str, Any], text: str, as_json: bool) -> None:
    """Print `payload` as one JSON object, or else `text`."""
    print(_json(payload) if as_json else text)


def print_error(message: str, as_json: bool) -> None:
    """Print an error: as {"error": message} on standard output, or as text on standard error."""
    if as_json:
        print(_json({"error": message}))
    else:
        print(f"vecaf: {message}", file=sys.stderr)


def _json(payload: dict[str, Any]) -> str:
    """Encode as JSON; escape non-ASCII characters unless the output is UTF-8."""
    return json.dumps(payload, ensure_ascii=(sys.stdout.encoding or "").lower() != "utf-8")


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Format aligned columns, with numbers on the right. Returns "" if there are no rows."""
    if not rows:
        return ""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(headers, *cells, strict=True)]
    columns = list(zip(*rows, strict=True))
    numeric = [all(isinstance(value, int | float) for value in column) for column in columns]
    lines = [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in [list(headers), *cells]
    ]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


class ProgressBar:
    """One progress line on standard error with the remaining time. Prints only to a terminal."""

    def __init__(self) -> None:
        self._next_refresh = 0.0
        self._began: dict[str, tuple[float, int]] = {}
        self._width = 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        began, first = self._began.setdefault(stage, (now, done))
        last = total > 0 and done >= total
        if not sys.stderr.isatty() or (now < self._next_refresh and not last):
            return
        self._next_refresh = now + REFRESH_SECONDS
        line = stage
        if total:
            line += f" {done:,} / {total:,}"
            if first < done < total:
                remaining = (now - began) / (done - first) * (total - done)
                line += f", {_duration(remaining)} left"
        print(f"\r{line.ljust(self._width)}", end="\n" if last else "", file=sys.stderr, flush=True)
        self._width = 0 if last else max(self._width, len(line))

    def of(self, stage: str) -> Callable[[int, int], None]:
        """Return a callback (done, total) that reports progress of one stage."""
        return lambda done, total: self(stage, done, total)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
