"""The Data page: upload, imports under way, the datasets, one dataset."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

import gradio as gr
from gradio.components.navbar import Navbar

from app.components.live import NOTHING, live
from app.components.upload import upload
from app.pages import data_view as view
from app.pages.address import QUERY_JS, parameters, query_input, whole
from app.studio import Studio
from vecaf.demo import COLOR, SOURCES
from vecaf.errors import NotFoundError, VecafError
from vecaf.store import ENDED, Sample
from vecaf.store.imports import recent_imports
from vecaf.store.pages import DatasetCard, dataset_card, dataset_keys, pool_pictures
from vecaf.store.runs import list_runs

WALL = 84  # pictures of one dataset: what fits a screen
BUSY, IDLE = 1.0, 4.0  # seconds between looks, with and without an import under way


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (studio.js)
    query = query_input()
    gr.HTML(view.TITLE, apply_default_css=False, js_on_load=None, elem_id="main")
    zone = upload(studio.settings.limits.max_archive_bytes)
    imports = live("imports")
    datasets = live("datasets")
    timer = gr.Timer(BUSY)
    cards = _Cards(studio)

    def show(address: str, request: gr.Request) -> tuple[str, str, gr.Timer]:
        user = studio.user(request)
        with studio.store.read() as session:
            jobs = recent_imports(session, user, within=timedelta(hours=1))
            runs = list_runs(session, user, limit=20)
        busy = any(job.state not in ENDED for job in jobs)
        chosen = whole(parameters(address), "dataset")
        if chosen is not None:
            try:
                main = view.detail(*cards.one(user, chosen))
            except NotFoundError as error:
                main = view.missing(str(error))
            return NOTHING, main, gr.Timer(IDLE)
        main = view.listing(cards.all(user), busy)
        return view.under_way(jobs, runs), main, gr.Timer(BUSY if busy else IDLE)

    def act(event: gr.EventData, request: gr.Request) -> tuple[str, str, gr.Timer]:
        data = event._data
        try:
            _act(studio, studio.user(request), data)
        except VecafError as error:
            gr.Warning(str(error), title="")
        return show(data.get("query", ""), request)

    def go(event: gr.EventData, request: gr.Request) -> tuple[str, str, gr.Timer]:
        return show(event._data.get("query", ""), request)

    outputs = [imports, datasets, timer]
    quiet: dict[str, Any] = {
        "show_progress": "hidden",
        "api_visibility": "private",
        "concurrency_limit": None,
    }
    demo.load(show, query, outputs, js=QUERY_JS, **quiet)
    timer.tick(show, query, outputs, js=QUERY_JS, **quiet)
    for piece in (zone, imports, datasets):
        piece.act(act, None, outputs, **quiet)
    datasets.go(go, None, outputs, **quiet)


def _act(studio: Studio, user: int, data: dict[str, str]) -> None:
    from vecaf.jobs.queue import cancel_import, submit_import

    if data.get("act") == "demo":
        name = data.get("demo", COLOR)
        submit_import(studio.store, SOURCES.get(name, SOURCES[COLOR]), name, user)
    elif data.get("act") == "cancel":
        cancel_import(studio.store, int(data["import"]), user)


class _Cards:
    """Dataset cards, kept while what they show has not changed: counting costs a scan."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._card = lru_cache(maxsize=256)(self._read)

    def _read(self, user: int, dataset_id: int, *_key: object) -> DatasetCard:
        with self.studio.store.read() as session:
            return dataset_card(session, user, dataset_id)

    def all(self, user: int) -> list[DatasetCard]:
        with self.studio.store.read() as session:
            keys = dataset_keys(session, user)
        return [self._card(user, *key) for key in keys]

    def one(self, user: int, dataset_id: int) -> tuple[DatasetCard, list[Sample]]:
        """A card and many of its pool's pictures. Raises NotFoundError."""
        with self.studio.store.read() as session:
            card = dataset_card(session, user, dataset_id)
            return card, pool_pictures(session, user, dataset_id, WALL)
