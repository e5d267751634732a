"""Live pieces: HTML that the server renders and the browser patches in place (live.js)."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..templates import macros

NOTHING = "<!-- nothing to show -->"
"""What a handler returns to empty a piece; Gradio ignores ""."""

QUIET: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_limit": None,
}
"""Options of a page's handlers: no spinner, not in the API, not queued."""

MOVING: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}
"""Options of `go`: of several requests in a row, the last one is answered."""

_LOAD = 'studio.live(element, props, trigger, watch); void ["act", "go"];'


def live(name: str, value: str = "") -> gr.HTML:
    """Return a live piece. Handlers return its HTML; its events are `act` and `go`."""
    return gr.HTML(
        value=value,
        html_template=str(macros("shell", "components/pieces.html").live(name)),
        js_on_load=_LOAD,
        apply_default_css=False,
        elem_id=name,
    )


def acknowledge(event: Any) -> Any:
    """Tell the browser when an `act` is answered, so that it sends the next one (actions.js)."""
    event.then(None, None, None, js="() => studio.answered(true)")
    event.failure(None, None, None, js="() => studio.answered(false)")
    return event
