"""The Explore page: filters, grid and map.

`page.js` draws them before Gradio has started; then Gradio's one component takes them in.
"""

from __future__ import annotations

import gradio as gr
from gradio.components.navbar import Navbar

from ..shell.studio import Studio
from ..shell.templates import macros


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's component; call it inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (navigation.js)
    gr.HTML(
        value="",
        html_template=str(macros("explore").frame()),
        js_on_load='studio.mountExplore(element.querySelector(".explore-place"));',
        apply_default_css=False,
        elem_id="explore-host",
    )
