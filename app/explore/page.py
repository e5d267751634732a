"""The Explore page: the workbench is a component of our own (components/explore*.js), which has
begun to draw before Gradio takes it in; what it asks for is in app.explore."""

from __future__ import annotations

import gradio as gr
from gradio.components.navbar import Navbar

from app.shell.studio import Studio


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's one component; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (navigation.js)
    gr.HTML(
        value="",
        html_template='<div class="explore-place"></div>',
        js_on_load='studio.explore.mount(element.querySelector(".explore-place"));',
        apply_default_css=False,
        elem_id="explore-host",
    )
