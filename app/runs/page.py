"""The Runs page: the list of runs, and one run with its progress and results."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components.navbar import Navbar

from vecaf.config import RunConfig
from vecaf.errors import NotFoundError, VecafError
from vecaf.store import ENDED, Run, visible
from vecaf.store.page_queries import accuracies, dataset_choices, run_version
from vecaf.store.run_tags import all_tags, tag_runs
from vecaf.store.runs import list_runs, rename_run

from ..shell.address import parameters, query_input, whole
from ..shell.components.chart import charts
from ..shell.components.live import MOVING, NOTHING, QUIET, acknowledge, live
from ..shell.components.sent import Sent, digest, only_new, sent_input
from ..shell.studio import Studio
from . import label_rest_view
from . import view as runs_view
from .run import Pieces, RunPage
from .view import STATES, Filters

BUSY_SECONDS, IDLE_SECONDS = 2.0, 5.0  # between updates
LISTED = 100  # runs per page


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (navigation.js)
    query = query_input()
    sent = sent_input()
    top = live("run-top")
    curve = charts()
    rest = live("run-rest")
    timer = gr.Timer(BUSY_SECONDS)
    run_page = RunPage(studio)

    def show(address: str, last: Sent, request: gr.Request) -> list[Any]:
        user = studio.user(request)
        values = parameters(address)
        run_id = whole(values, "run")
        state = _mark(studio, user, run_id)
        if run_id is not None and last.get("mark") == digest((address, state)):
            return [gr.skip()] * 5  # unchanged
        if run_id is None:
            shown = _list(studio, user, values)
        else:
            shown, state = _run(run_page, user, run_id, values, state, fresh=not last)
        pieces = {"top": shown.top, "curve": shown.curve, "rest": shown.rest}
        changes, names = only_new(last, pieces)
        names["mark"] = digest((address, state))
        rate = IDLE_SECONDS if shown.ended else BUSY_SECONDS
        names["timer"] = str(rate)
        tick = gr.skip() if last.get("timer") == names["timer"] else gr.Timer(rate, active=True)
        return [*changes, tick, names]

    def act(last: Sent, event: gr.EventData, request: gr.Request) -> list[Any]:
        data = event._data
        try:
            _act(studio, studio.user(request), data)
        except VecafError as error:
            gr.Warning(str(error), title="")
        return show(data.get("query", ""), {}, request)

    def go(last: Sent, event: gr.EventData, request: gr.Request) -> list[Any]:
        return show(event._data.get("query", ""), last, request)

    outputs = [top, curve, rest, timer, sent]
    js = "(_, last) => [studio.query(), last]"
    demo.load(show, [query, sent], outputs, js=js, **QUIET)
    timer.tick(show, [query, sent], outputs, js=js, **QUIET)
    for piece in (top, rest):
        acknowledge(piece.act(act, sent, outputs, **QUIET))
    top.go(go, sent, outputs, **MOVING)


def _mark(studio: Studio, user: int, run_id: int | None) -> object:
    """Return a value that changes with a run's page; None for the list, which is always built."""
    with studio.store.read() as session:
        idle = studio.idle(session)
        if run_id is None:
            return None
        try:
            return idle, run_version(session, user, run_id)
        except NotFoundError as error:
            return str(error)


def _act(studio: Studio, user: int, data: dict[str, str]) -> None:
    """Do what a button on the page asks for. Raises VecafError."""
    from vecaf.engine.baseline import submit_baseline
    from vecaf.engine.queue import cancel_run, resume_run, submit_task
    from vecaf.runs.deletion import delete_run

    if data.get("act") == "delete":
        for number in data.get("runs", "").split(","):
            delete_run(studio.store, user, int(number))
        return
    if data.get("act") == "tag":
        runs = [int(number) for number in data.get("runs", "").split(",")]
        with studio.store.write() as session:
            tag_runs(session, user, runs, data.get("tags", ""), add=len(runs) > 1)
        return
    run_id = int(data["run"])
    if data.get("act") == "rename":
        with studio.store.write() as session:
            rename_run(session, user, run_id, data.get("name", ""))
    elif data.get("act") == "cancel":
        cancel_run(studio.store, run_id, user)
    elif data.get("act") == "resume":
        resume_run(studio.store, run_id, user)
    elif data.get("act") == "label-rest":
        label_rest_view.apply(studio.store, user, run_id, data)
    elif data.get("act") == "undo-labels":
        label_rest_view.undo_labels(studio.store, user, run_id, data)
    elif data.get("act") == "baseline":
        submit_baseline(studio.store, run_id, user)
    elif data.get("act") == "map":
        with studio.store.read() as session:
            run = visible(session, user, Run, run_id)
        defaults = RunConfig().as_dict()
        params = {
            name: run.config[name]
            for name in ("model", "vlm", "image_size")
            if run.config.get(name, defaults[name]) != defaults[name]
        }
        submit_task(studio.store, "map", run.dataset_id, params, user)


def _list(studio: Studio, user: int, values: dict[str, str]) -> Pieces:
    before, dataset_id = whole(values, "before"), whole(values, "dataset")
    state, tag = values.get("state", ""), values.get("tag", "")
    states = STATES.get(state, ())
    with studio.store.read() as session:
        found = list_runs(
            session,
            user,
            limit=LISTED + 1,
            before_id=before,
            dataset_id=dataset_id,
            states=states,
            tag=tag,
        )
        filters = Filters(
            dataset_choices(session, user), dataset_id, state if states else "",
            all_tags(session, user), tag,
        )  # fmt: skip
        runs, more = found[:LISTED], len(found) > LISTED
        curves = accuracies(session, user, [run.id for run in runs])
        idle = studio.idle(session)
    listing = runs_view.listing(runs, curves, idle=idle, before=before, more=more, filters=filters)
    return Pieces(listing, NOTHING, NOTHING, all(run.state in ENDED for run in runs))


def _run(
    run_page: RunPage, user: int, run_id: int, values: dict[str, str], mark: object, *, fresh: bool
) -> tuple[Pieces, object]:
    try:
        return run_page.shared(user, run_id, values, mark, fresh=fresh)
    except NotFoundError as error:
        return Pieces(runs_view.missing(str(error)), NOTHING, NOTHING, True), mark
    except VecafError as error:  # such as a setting of another version of the studio
        return Pieces(runs_view.unreadable(str(error)), NOTHING, NOTHING, True), mark
