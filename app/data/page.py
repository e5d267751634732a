"""The Data page: upload, other sources, imports under way, the datasets, one dataset."""

from __future__ import annotations

import time
from datetime import timedelta

import gradio as gr
from gradio.components.navbar import Navbar

from app.data import view
from app.data.dataset import Cards, detail
from app.data.dataset_acts import edit_dataset
from app.data.sources_view import sources
from app.shell.address import QUERY_JS, parameters, query_input, whole
from app.shell.components.live import MOVING, NOTHING, QUIET, acknowledge, live
from app.shell.components.upload import upload
from app.shell.studio import Studio
from vecaf.datasets import folders, public
from vecaf.errors import NotFoundError, VecafError
from vecaf.runs.demo_run import COLOR, SOURCES
from vecaf.store import ENDED, Dataset, visible
from vecaf.store.imports import recent_imports
from vecaf.store.runs import list_runs

BUSY, IDLE = 1.0, 4.0  # seconds between looks, with and without an import under way

Shown = tuple[str, str, gr.Timer]


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (navigation.js)
    query = query_input()
    gr.HTML(view.TITLE, apply_default_css=False, js_on_load=None, elem_id="main")
    zone = upload(studio.settings.limits.max_archive_bytes)
    imports = live("imports")
    datasets = live("datasets")
    timer = gr.Timer(BUSY)
    cards = Cards(studio)

    def show(address: str, request: gr.Request) -> Shown:
        user = studio.user(request)
        values = parameters(address)
        chosen = whole(values, "dataset")
        if chosen is not None:
            try:
                main, busy = detail(studio, cards, user, chosen, values)
            except NotFoundError as error:
                main, busy = view.missing(str(error)), False
            return NOTHING, main, gr.Timer(BUSY if busy else IDLE)
        return _list(studio, cards, user, values)

    def act(event: gr.EventData, request: gr.Request) -> Shown:
        data = event._data
        user = studio.user(request)
        address = data.get("query", "")
        try:
            gone = _act(studio, user, data)
        except VecafError as error:
            gr.Warning(str(error), title="")
            gone = None
        if gone is not None:
            return NOTHING, view.went(gone), gr.Timer(IDLE)
        above, main, timer = show(address, request)
        # Never the same text twice: the page is patched, so that a pressed button is free again.
        return (
            f"{above}<!-- {time.monotonic_ns()} -->",
            f"{main}<!-- {time.monotonic_ns()} -->",
            timer,
        )

    def go(event: gr.EventData, request: gr.Request) -> Shown:
        return show(event._data.get("query", ""), request)

    outputs = [imports, datasets, timer]
    demo.load(show, query, outputs, js=QUERY_JS, **QUIET)
    timer.tick(show, query, outputs, js=QUERY_JS, **QUIET)
    for piece in (zone, imports, datasets):
        acknowledge(piece.act(act, None, outputs, **QUIET))
    datasets.go(go, None, outputs, **MOVING)


def _list(studio: Studio, cards: Cards, user: int, values: dict[str, str]) -> Shown:
    with studio.store.read() as session:
        jobs = recent_imports(session, user, within=timedelta(hours=1))
        runs = list_runs(session, user, limit=20)
    busy = any(job.state not in ENDED for job in jobs)
    main = view.listing(
        cards.all(user), busy, sources=_sources(studio, values), deleted=values.get("deleted")
    )
    return view.under_way(jobs, runs), main, gr.Timer(BUSY if busy else IDLE)


def _sources(studio: Studio, values: dict[str, str]) -> str:
    """Return the other sources. The address names the folder to look into."""
    settings = studio.settings
    path = values.get("folder")
    roots = folders.allowed_roots(settings) if settings.folders else []
    if not path:
        return sources(roots, None, opened="folder" in values)
    try:
        return sources(roots, folders.list_folder(settings, path))
    except VecafError as error:
        return sources(roots, None, str(error))


def _act(studio: Studio, user: int, data: dict[str, str]) -> str | None:
    """Do what was asked for; the name of the dataset that was deleted, if one was."""
    from vecaf.engine.queue import cancel_import, cancel_run, cancel_task, submit_import

    act = data.get("act")
    name = data.get("name", "")
    job = whole(data, "job") or whole(data, "import") or 0
    if act == "demo":
        known = data.get("demo", COLOR)
        submit_import(studio.store, SOURCES.get(known, SOURCES[COLOR]), known, user)
    elif act == "public":
        key = data.get("key", "")
        submit_import(studio.store, public.PREFIX + key, name.strip() or key, user)
    elif act == "folder":
        submit_import(studio.store, folders.PREFIX + data.get("folder", ""), name, user)
    elif act in ("cancel", "cancel-import"):
        cancel_import(studio.store, job, user)
    elif act == "cancel-run":
        cancel_run(studio.store, job, user)
    elif act == "cancel-task":
        cancel_task(studio.store, job, user)
    elif act == "delete":
        chosen = whole(parameters(data.get("query", "")), "dataset") or 0
        with studio.store.read() as session:
            gone = visible(session, user, Dataset, chosen).name
        edit_dataset(studio, user, data)
        return gone
    elif act != "uploaded":
        edit_dataset(studio, user, data)
    return None
