"""The studio's pages, one file each."""

from __future__ import annotations

import gradio as gr

from app.compare import page as compare
from app.data import page as data
from app.explore import page as explore
from app.finetune import page as finetune
from app.label import page as label
from app.predict import page as predict
from app.runs import page as runs
from app.select import page as select
from app.shell.studio import Studio
from app.shift import page as shift

CACHE_SECONDS = 24 * 3600  # Gradio deletes older files from its cache


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
