"""The shared pieces of `pieces.html`, for pages that put their HTML together in Python.

Pages with a template import `shell/pieces.html` there instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from markupsafe import Markup

from vecaf.wording import plural as plural

from .formatting import duration as duration
from .formatting import number as number
from .formatting import percent as percent
from .formatting import size as size
from .templates import macros


def text(value: object) -> str:
    """`value`, safe inside an element or a quoted attribute."""
    return escape(str(value), quote=True)


def chip(state: str) -> str:
    return _piece("chip", state)


def when(moment: datetime | None) -> str:
    return _piece("when", moment)


def progress(key: str, label: str, done: int, total: int) -> str:
    return _piece("progress", key, label, done, total)


def thumb(sample_id: int, sha256: str, words: Sequence[str], extra: str = "") -> str:
    """See `pieces.html`; `extra` is HTML."""
    return _piece("thumb", sample_id, sha256, words, Markup(extra))


def notice(message: str, kind: str = "error") -> str:
    return _piece("notice", message, kind)


def empty(title: str, hint: str) -> str:
    """See `pieces.html`; `hint` is HTML."""
    return _piece("empty", title, Markup(hint))


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """See `pieces.html`; the values are HTML."""
    return _piece("facts", [(term, Markup(value)) for term, value in pairs])


def command(line: str) -> str:
    return _piece("command", line)


def dataset_picker(path: str, datasets: Sequence[tuple[int, str]], chosen: int) -> str:
    return _piece("dataset_picker", path, datasets, chosen)


def _piece(name: str, *values: object) -> str:
    # A plain string: `str + Markup` would escape the HTML on its left.
    return str(getattr(macros("shell", "pieces.html"), name)(*values))
