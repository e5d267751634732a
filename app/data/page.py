"""The Data page: upload, other sources, imports in progress, the datasets, one dataset."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import gradio as gr
from gradio.components.navbar import Navbar
from markupsafe import Markup

from vecaf.datasets import folders, public
from vecaf.errors import NotFoundError, VecafError
from vecaf.runs.demo_run import COLOR, LINE, SOURCES
from vecaf.store import CANCELED, ENDED, FAILED, Dataset, Import, Task, visible
from vecaf.store.background import active_embeddings
from vecaf.store.imports import recent_imports
from vecaf.store.models import now
from vecaf.store.page_queries import DatasetCard
from vecaf.store.runs import RunSummary, list_runs

from ..shell.address import QUERY_JS, parameters, query_input, whole
from ..shell.components.live import MOVING, NOTHING, QUIET, acknowledge, live
from ..shell.studio import Studio
from ..shell.templates import macros
from ..shell.uploads import OURS
from .cards import Cards
from .dataset import detail
from .dataset_changes import edit_dataset
from .sources_view import sources

BUSY, IDLE = 1.0, 4.0  # seconds between updates, with and without a job in progress
NEWS = timedelta(minutes=10)  # how long the list announces that an import has finished

DataOutputs = tuple[str, str, gr.Timer]


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (navigation.js)
    query = query_input()
    title = macros("data").title()
    gr.HTML(title, apply_default_css=False, js_on_load=None, elem_id="main")
    zone = drop_zone(studio.settings.limits.max_archive_bytes)
    imports = live("imports")
    datasets = live("datasets")
    timer = gr.Timer(BUSY)
    cards = Cards(studio)

    def show(address: str, request: gr.Request) -> DataOutputs:
        user = studio.user(request)
        values = parameters(address)
        dataset_id = whole(values, "dataset")
        if dataset_id is not None:
            try:
                main, busy = detail(studio, cards, user, dataset_id, values)
            except NotFoundError as error:
                main, busy = str(macros("data").not_found(str(error))), False
            return NOTHING, main, gr.Timer(BUSY if busy else IDLE)
        return _list(studio, cards, user, values)

    def act(event: gr.EventData, request: gr.Request) -> DataOutputs:
        data = event._data
        user = studio.user(request)
        address = data.get("query", "")
        try:
            deleted = _act(studio, user, data)
        except VecafError as error:
            gr.Warning(str(error), title="")
            deleted = None
        if deleted is not None:
            return NOTHING, str(macros("data").deleted(deleted)), gr.Timer(IDLE)
        above, main, timer = show(address, request)
        # A new value each time: the page is patched, and the pressed button is enabled again.
        return (
            f"{above}<!-- {time.monotonic_ns()} -->",
            f"{main}<!-- {time.monotonic_ns()} -->",
            timer,
        )

    def go(event: gr.EventData, request: gr.Request) -> DataOutputs:
        return show(event._data.get("query", ""), request)

    outputs = [imports, datasets, timer]
    demo.load(show, query, outputs, js=QUERY_JS, **QUIET)
    timer.tick(show, query, outputs, js=QUERY_JS, **QUIET)
    for piece in (zone, imports, datasets):
        acknowledge(piece.act(act, None, outputs, **QUIET))
    datasets.go(go, None, outputs, **MOVING)


def _list(studio: Studio, cards: Cards, user: int, values: dict[str, str]) -> DataOutputs:
    with studio.store.read() as session:
        jobs = recent_imports(session, user, within=timedelta(hours=1))
        runs = list_runs(session, user, limit=20)
        embeddings = active_embeddings(session, user)
    importing = any(job.state not in ENDED for job in jobs)
    busy = importing or bool(embeddings)
    found = cards.all(user)
    main = listing(found, importing, _sources(studio, values), values.get("deleted"))
    above = under_way(jobs, runs, embeddings, imported(jobs, found))
    return above, main, gr.Timer(BUSY if busy else IDLE)


def imported(jobs: Sequence[Import], cards: Sequence[DatasetCard]) -> DatasetCard | None:
    """Return the dataset of the last import if it has just finished and has no run yet."""
    if not jobs or jobs[0].finished_at is None or now() - jobs[0].finished_at > NEWS:
        return None
    new = [card for card in cards if card.id == jobs[0].dataset_id and not card.runs]
    return new[0] if new else None


def under_way(
    jobs: Sequence[Import],
    runs: Sequence[RunSummary],
    embeddings: Sequence[tuple[Task, str]] = (),
    ready: DatasetCard | None = None,
) -> str:
    """Render jobs in progress, and the given imports that failed or were canceled.

    `embeddings` are tasks that embed a dataset, with the name of the dataset. `ready` is a dataset
    whose import has just finished.
    """
    shown = [job for job in jobs if job.state not in ENDED or job.state in (FAILED, CANCELED)]
    active = [run for run in runs if run.state not in ENDED]
    if not (shown or active or embeddings or ready):
        return NOTHING
    errors = {job.id: _error(job) for job in shown}
    return str(macros("data").under_way(shown, active, errors, embeddings, ready))


def _error(job: Import) -> tuple[str, list[str]]:
    """Return the error of an import and its refused files, without an upload's random name."""
    name = Path(job.source).name
    shown = (job.error or "").replace(name, "The file" if OURS.fullmatch(name) else name)
    sentence, *files = shown.split("\n")
    return sentence, files


def listing(
    cards: Sequence[DatasetCard], importing: bool, sources: str = "", deleted: str | None = None
) -> str:
    """Render all datasets as cards. `sources` is HTML; `deleted` was just deleted."""
    demos = (COLOR, LINE)
    return str(macros("data").listing(cards, importing, Markup(sources), demos, deleted))


def drop_zone(limit: int) -> gr.HTML:
    """Build the upload form for archives of at most `limit` bytes.

    upload.js sends the file to its own route (app/shell/uploads.py), past Gradio's cache, and
    triggers the event `act` when it has arrived.
    """
    return gr.HTML(
        value="",
        html_template=str(macros("data").drop_zone(limit)),
        js_on_load='studio.upload(element, trigger); void ["act"];',
        apply_default_css=False,
        elem_id="upload",
    )


def _sources(studio: Studio, values: dict[str, str]) -> str:
    """Return the other sources. The address names the folder to look into."""
    settings = studio.settings
    path = values.get("folder")
    roots = folders.allowed_roots(settings) if settings.folders else []
    if not path:
        return sources(roots, None, opened="sources" in values)
    try:
        return sources(roots, folders.list_folder(settings, path))
    except VecafError as error:
        return sources(roots, None, str(error))


def _act(studio: Studio, user: int, data: dict[str, str]) -> str | None:
    """Make the change `data["act"]`. Return the name of the dataset that was deleted, if any."""
    from vecaf.engine.queue import cancel_import, cancel_run, cancel_task, submit_import

    act = data.get("act")
    name = data.get("name", "")
    job = whole(data, "job") or whole(data, "import") or 0
    if act == "demo":
        demo = data.get("demo", COLOR)
        submit_import(studio.store, SOURCES.get(demo, SOURCES[COLOR]), demo, user)
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
        dataset_id = whole(parameters(data.get("query", "")), "dataset") or 0
        with studio.store.read() as session:
            deleted = visible(session, user, Dataset, dataset_id).name
        edit_dataset(studio, user, data)
        return deleted
    elif act != "uploaded":
        edit_dataset(studio, user, data)
    return None
