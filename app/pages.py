"""The studio's pages: the one list that navigation, tour, routes and tests come from.

A new page is a folder with a `page.py` and an entry here.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fastapi import APIRouter

from .shell.page import Page
from .shell.studio import Studio

if TYPE_CHECKING:
    import gradio as gr

CACHE_SECONDS = 24 * 3600  # Gradio deletes older files from its cache

PAGES = (
    Page(
        "data",
        "/",
        "Data",
        "Upload a ZIP file of images, with or without labels. Review the import and fix problems.",
    ),
    Page(
        "explore",
        "/explore",
        "Explore",
        "See all images on a map and in a grid. Search by text, select a cluster with the lasso, "
        "find duplicates and wrong labels.",
    ),
    Page(
        "select",
        "/select",
        "Select",
        "Select the images that are most worth labeling within your budget. See why each one was "
        "selected.",
    ),
    Page(
        "label",
        "/label",
        "Label",
        "Label the selected images with the number keys. Press Enter to accept a suggested label.",
    ),
    Page(
        "finetune",
        "/finetune",
        "Finetune",
        "Launch a run: it selects, trains and evaluates, round by round. It continues when you "
        "close the tab.",
    ),
    Page(
        "runs",
        "/runs",
        "Runs",
        "Watch a run live. Compare it with a random baseline, and see which images it gets wrong.",
    ),
    Page(
        "shift",
        "/shift",
        "Shift",
        "Describe a domain that your data does not cover, such as “in thick fog”, and test a model "
        "that is adapted to it.",
    ),
    Page(
        "predict",
        "/predict",
        "Predict",
        "Drop an image to see what a finished model predicts, or download the model.",
    ),
    Page("compare", "/compare", "Compare", under="/runs"),
)


def pages(studio: Studio) -> gr.Blocks:
    """Build all pages as one Gradio app."""
    import gradio as gr

    demo: gr.Blocks = gr.Blocks(
        title="VeCAF Studio",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(CACHE_SECONDS, CACHE_SECONDS),
    )
    for page in PAGES:
        build = import_module(f".{page.folder}.page", __package__).page
        with demo if page.path == "/" else demo.route(page.name, page.path):
            build(studio, demo)
    return demo


def routes(studio: Studio) -> list[APIRouter]:
    """Return the routes of the pages that have a `routes.py`."""
    modules = (f"{__package__}.{page.folder}.routes" for page in PAGES)
    return [import_module(name).routes(studio) for name in modules if find_spec(name)]
