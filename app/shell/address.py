"""The address bar holds the state of a page, so a reload finds it again."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode

import gradio as gr

QUERY_JS = "() => [studio.query()]"
"""Gradio's `js=` for a handler whose one input is the address's query string."""
MOVE_JS = "(here, away) => { if (here) studio.go(here); if (away) location.assign(away); }"
"""Gradio's `js=` that goes to an address on this page or on another one; "" stays."""

RENAMED = {"colour": "color", "pick": "image"}
"""Parameters in bookmarks of earlier versions: old name → name."""


def parameters(query: str | None) -> dict[str, str]:
    """Return a query such as '?run=7&round=2' as a mapping. The last of repeated names counts.

    Bookmarks of earlier versions are read, too.
    """
    found = {name: values[-1] for name, values in parse_qs((query or "").lstrip("?")).items()}
    old = {name: found.pop(name) for name in RENAMED if name in found}
    return {RENAMED[name]: value for name, value in old.items()} | found


def whole(values: dict[str, str], name: str) -> int | None:
    """Return a parameter that is a plausible id or page number, else None."""
    text = values.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def link(path: str, **values: object) -> str:
    """Return an address with the values that are not None. Escape it in an attribute."""
    given = {name: value for name, value in values.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def query_input() -> gr.Textbox:
    """Return the hidden input that `QUERY_JS` fills."""
    return gr.Textbox(visible=False)
