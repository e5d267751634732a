"""What a tab was sent last, so that a page that looks every second sends only what is new."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import gradio as gr

Sent = dict[str, str]


def digest(value: object) -> str:
    """A short name for a value, equal for equal ones."""
    return hashlib.blake2b(repr(value).encode(), digest_size=12).hexdigest()


def only_new(last: Sent, pieces: Mapping[str, str]) -> tuple[list[Any], Sent]:
    """Each piece's HTML, or a skip where it is what the tab shows; and what the tab shows then."""
    names = {name: digest(value) for name, value in pieces.items()}
    values = [
        gr.skip() if last.get(name) == names[name] else value for name, value in pieces.items()
    ]
    return values, names
