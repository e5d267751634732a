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
        "Drop images, a folder or a ZIP file, with or without labels. Check the import report.",
        icon="M4 6.5A1.5 1.5 0 0 1 5.5 5h4l2 2.5h7A1.5 1.5 0 0 1 20 9v8.5a1.5 1.5 0 0 1-1.5 1.5"
        "h-13A1.5 1.5 0 0 1 4 17.5z",
    ),
    Page(
        "explore",
        "/explore",
        "Explore",
        "See all images on a map and in a grid. Search by text, select a cluster with the lasso, "
        "and find duplicates and wrong labels.",
        icon="M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM15.5 8.5l-2 5-5 2 2-5z",
    ),
    Page(
        "select",
        "/select",
        "Select",
        "Select the images that are most worth labeling within your budget. See why each one was "
        "selected.",
        icon="M12 4H5.5A1.5 1.5 0 0 0 4 5.5v13A1.5 1.5 0 0 0 5.5 20h13a1.5 1.5 0 0 0 1.5-1.5V12"
        "M8.5 11l3.5 3.5L20.5 5",
    ),
    Page(
        "label",
        "/label",
        "Label",
        "Label the selected images with the number keys. Press Enter to accept a suggested label.",
        icon="M4 5.5A1.5 1.5 0 0 1 5.5 4h6L20 12.5 12.5 20 4 11.5zM8.5 8.5h.01",
    ),
    Page(
        "finetune",
        "/finetune",
        "Finetune",
        "Launch a run: it selects, trains and evaluates, round by round. It keeps running after "
        "you close the tab.",
        icon="M4 8h16M4 16h16M15 5.5v5M9 13.5v5",
    ),
    Page(
        "runs",
        "/runs",
        "Runs",
        "Watch a run live. Compare it with a random baseline, and see which images it gets wrong.",
        icon="M4 4v16h16M7.5 15.5l4-5 3 2.5 5-6.5",
    ),
    Page(
        "shift",
        "/shift",
        "Shift",
        "Adapt a model to a new domain, from unlabeled images or from a description such as “in "
        "thick fog”.",
        icon="M4 8.5h14M14.5 5 18 8.5 14.5 12M20 15.5H6M9.5 12 6 15.5 9.5 19",
    ),
    Page(
        "predict",
        "/predict",
        "Predict",
        "Drop an image to see what a finished model predicts, or download the model.",
        icon="M12 3.5v4M12 16.5v4M3.5 12h4M16.5 12h4M12 10a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
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
