"""A piece of a page that the server renders and the browser patches in place."""

from __future__ import annotations

from typing import Any

import gradio as gr

# The template is constant and holds no `{{…}}` or `${…}`: Gradio would compile what stands there
# as code. Content only ever arrives as the component's value.
_SHELL = '<div class="live {name}" aria-busy="true"></div>'
NOTHING = "<!-- nothing to show -->"
"""What a handler returns for a piece that is to vanish; "" would leave it as it is."""

QUIET: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_limit": None,
}
"""How a page's own handlers are registered: no spinner, no public name, no waiting in line."""

MOVING: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}
"""How `go` is registered: who goes on while a view is on its way gets the last one asked for."""

_LOAD = 'studio.live(element, props, trigger, watch); void ["act", "go"];'


def live(name: str, value: str = "") -> gr.HTML:
    """A live piece; handlers return its HTML, `act` and `go` are its events (studio.js)."""
    return gr.HTML(
        value=value,
        html_template=_SHELL.format(name=name),
        js_on_load=_LOAD,
        apply_default_css=False,
        elem_id=name,
    )


def in_line(acting: Any) -> Any:
    """Tell the browser when an `act` is answered: it sends the next one only then (studio.js)."""
    acting.then(None, None, None, js="() => studio.answered(true)")
    acting.failure(None, None, None, js="() => studio.answered(false)")
    return acting
