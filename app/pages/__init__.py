"""The studio's pages, one file each."""

from __future__ import annotations

import gradio as gr

from app.pages import compare, data, explore, finetune, label, predict, runs, select, shift
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
    with demo.route("Select", "/select"):
        select.page(studio, demo)
    with demo.route("Label", "/label"):
        label.page(studio, demo)
    with demo.route("Finetune", "/finetune"):
        finetune.page(studio, demo)
    with demo.route("Runs", "/runs"):
        runs.page(studio, demo)
    with demo.route("Compare", "/compare"):
        compare.page(studio, demo)
    with demo.route("Shift", "/shift"):
        shift.page(studio, demo)
    with demo.route("Predict", "/predict"):
        predict.page(studio, demo)
    return demo
