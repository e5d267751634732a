"""The Select page: what a strategy selects and why, and two selections side by side."""

from __future__ import annotations

import gradio as gr
from gradio.components.navbar import Navbar

from vecaf.config import RunConfig
from vecaf.errors import NotFoundError, VecafError
from vecaf.store import ENDED, TEST, Dataset, Task, visible
from vecaf.store.page_queries import dataset_choices
from vecaf.store.runs import list_runs
from vecaf.store.samples import count_pool, count_split, samples_by_id
from vecaf.store.subsets import delete_subset, subsets_of
from vecaf.tasks.save_selection import save_selection
from vecaf.tasks.select_images import read_explanation

from ..explore.maps import map_state
from ..shell.address import MOVE_JS, QUERY_JS, link, parameters, query_input, whole
from ..shell.components.live import MOVING, QUIET, acknowledge, live
from ..shell.studio import Studio
from ..shell.templates import macros
from . import form as select_form
from . import view
from .state import PageState, PoolFacts, task_name
from .submission import submit_selection

BUSY, IDLE = 1.0, 10.0  # seconds between refreshes

Outputs = tuple[str, gr.Timer, str, str]


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (navigation.js)
    query = query_input()
    here = gr.Textbox(visible=False)  # address on this page to move to
    away = gr.Textbox(visible=False)  # address on another page to move to
    piece = live("select")
    timer = gr.Timer(BUSY)

    def show(address: str, request: gr.Request) -> Outputs:
        html, busy = _render(studio, studio.user(request), parameters(address))
        return html, gr.Timer(BUSY if busy else IDLE), "", ""

    def act(event: gr.EventData, request: gr.Request) -> Outputs:
        data = event._data
        user, values = studio.user(request), parameters(data.get("query", ""))
        here_to = away_to = ""
        try:
            here_to, away_to = _act(studio, user, data, values)
        except VecafError as error:
            gr.Warning(str(error), title="")
        html, busy = _render(studio, user, parameters(here_to.partition("?")[2]) or values)
        return html, gr.Timer(BUSY if busy else IDLE), here_to, away_to

    def go(event: gr.EventData, request: gr.Request) -> Outputs:
        return show(event._data.get("query", ""), request)

    outputs = [piece, timer, here, away]
    demo.load(show, query, outputs, js=QUERY_JS, **QUIET)
    timer.tick(show, query, outputs, js=QUERY_JS, **QUIET)
    acknowledge(piece.act(act, None, outputs, **QUIET)).then(None, [here, away], None, js=MOVE_JS)
    piece.go(go, None, outputs, **MOVING)


def _act(
    studio: Studio, user: int, data: dict[str, str], values: dict[str, str]
) -> tuple[str, str]:
    """Perform an action. Return the addresses to move to, on this page and on another."""
    from vecaf.engine.queue import cancel_task, submit_task

    what, dataset_id = data.get("act"), whole(data, "dataset") or 0
    if what == "select":
        config = RunConfig.from_dict(select_form.read(data))
        task_id = submit_selection(studio, user, dataset_id, config, whole(data, "run"))
        beside = whole(values, "task") if data.get("beside") else None
        if beside and beside != task_id:
            return link("/select", dataset=dataset_id, task=beside, against=task_id), ""
        return link("/select", dataset=dataset_id, task=task_id), ""
    if what == "cancel":
        cancel_task(studio.store, int(data["task"]), user)
    elif what == "map":
        submit_task(studio.store, "map", dataset_id, {}, user)
    elif what == "save":
        with studio.store.write() as session:
            earlier = data.get("earlier") == "on"
            subset = save_selection(
                session, studio.settings, user, int(data["task"]), data["name"], earlier=earlier
            )
            line = next(s for s in subsets_of(session, user, dataset_id) if s.id == subset.id)
        if line.labeled < line.images:
            return "", link("/label", dataset=dataset_id, subset=line.id)
        return "", link("/finetune", dataset=dataset_id, subset=line.name)
    elif what == "delete":
        with studio.store.write() as session:
            delete_subset(session, user, int(data["subset"]))
    return "", ""


def _render(studio: Studio, user: int, values: dict[str, str]) -> tuple[str, bool]:
    """Return the page as HTML, and whether a task on it is unfinished."""
    with studio.store.read() as session:
        datasets = dataset_choices(session, user)
    if not datasets:
        return str(macros("select").no_dataset()), False
    dataset_id = whole(values, "dataset") or datasets[0][0]
    try:
        return _dataset(studio, user, dataset_id, values, datasets)
    except NotFoundError as error:
        return str(macros("select").missing(str(error))), False


def _dataset(
    studio: Studio,
    user: int,
    dataset_id: int,
    values: dict[str, str],
    datasets: list[tuple[int, str]],
) -> tuple[str, bool]:
    with studio.store.read() as session:
        dataset = visible(session, user, Dataset, dataset_id)
        size, labeled = count_pool(session, dataset_id)
        tests = count_split(session, dataset_id, TEST)
        runs = list_runs(session, user, limit=None, dataset_id=dataset_id)
        saved = subsets_of(session, user, dataset_id)
        map_now = map_state(session, studio.settings, user, dataset_id)
        idle = studio.idle(session)
        tasks = [
            _selection(visible(session, user, Task, number), dataset_id)
            for number in (whole(values, "task"), whole(values, "against"))
            if number is not None
        ]
        found = [(task, read_explanation(studio.settings.tasks / str(task.id))) for task in tasks]
        ready = [
            (task, selected)
            for task, selected in found
            if selected is not None and task.state in ENDED
        ]
        both = len(ready) == 2
        wanted = {i for _, selected in ready for i in view.needed(selected, values, every=both)}
        samples = samples_by_id(session, user, dataset_id, wanted)
    pool = PoolFacts(dataset.id, dataset.name, list(dataset.classes), size, labeled, *tests)
    state = PageState(values, pool, samples, map_now)
    finished = {task.id for task, _ in ready}
    results = [
        macros("select").unfinished(task, task_name(task))
        for task in tasks
        if task.id not in finished
    ]
    if len(ready) == 2:
        results.append(view.comparison(state, ready[0], ready[1]))
    elif ready:
        results.append(view.selection(state, *ready[0]))
    waiting = any(task.state not in ENDED for task in tasks) or map_now.state not in (
        *ENDED,
        "none",
    )
    html = macros("select").page(
        datasets=datasets,
        pool=pool,
        form=select_form.form(pool, runs, tasks),
        warning=idle if waiting else None,
        results=results,
        saved=view.saved(pool.id, saved),
    )
    return str(html), waiting


def _selection(task: Task, dataset_id: int) -> Task:
    if task.kind != "selection" or task.dataset_id != dataset_id:
        raise NotFoundError(f"This dataset has no selection {task.id}.")
    return task
