"""The studio's pages, one file each."""

from __future__ import annotations

import gradio as gr

from app.pages import data, explore, finetune, runs
from app.server import CACHE_SECONDS
from app.studio import Studio


def pages(studio: Studio) -> gr.Blocks:
    """All pages as one Gradio app."""
    demo: gr.Blocks = gr.Blocks(
        title="VeCAF Studio",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(CACHE_SECONDS, CACHE_SECONDS),
    )
    with demo:
        data.page(studio, demo)
    with demo.route("Explore", "/explore"):
        explore.page(studio, demo)
    with demo.route("Finetune", "/finetune"):
        finetune.page(studio, demo)
    with demo.route("Runs", "/runs"):
        runs.page(studio, demo)
    return demo
