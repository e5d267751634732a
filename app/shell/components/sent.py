"""What a browser tab shows already, so that regular updates send only what has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import gradio as gr

Sent = dict[str, str]
"""Hashes of the pieces that a tab shows, by name."""


def sent_input() -> gr.JSON:
    """Return the hidden input that holds what a tab shows.

    The browser keeps it, so it always fits the pieces that arrived with it. Kept by the server, it
    could describe newer pieces than those shown: answers may arrive in another order.
    """
    return gr.JSON({}, visible=False)


def digest(value: object) -> str:
    """Return a short hash of a value."""
    return hashlib.blake2b(repr(value).encode(), digest_size=12).hexdigest()


def only_new(last: Sent, pieces: Mapping[str, str]) -> tuple[list[Any], Sent]:
    """Return each piece's HTML, or a skip if the tab shows it already, and the new hashes."""
    last = last if isinstance(last, dict) else {}  # it comes from the browser
    hashes = {name: digest(value) for name, value in pieces.items()}
    values = [
        gr.skip() if last.get(name) == hashes[name] else value for name, value in pieces.items()
    ]
    return values, hashes
