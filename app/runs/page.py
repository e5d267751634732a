"""The Runs page: the list, and one run as it goes."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components.navbar import Navbar

from app.runs import view as runs_view
from app.runs.run import Pieces, RunPage
from app.shell.address import parameters, query_input, whole
from app.shell.components.chart import charts
from app.shell.components.live import MOVING, NOTHING, QUIET, in_line, live
from app.shell.components.sent import Sent, digest, only_new
from app.shell.studio import Studio
from vecaf.config import RunConfig
from vecaf.errors import NotFoundError, VecafError
from vecaf.store import ENDED, Run, visible
from vecaf.store.page_queries import accuracies, run_mark
from vecaf.store.runs import list_runs

BUSY, IDLE = 2.0, 5.0  # seconds between looks
LISTED = 100  # runs at once; older ones have an address of their own


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (studio.js)
    query = query_input()
    sent = gr.State({})  # what this tab was sent last
    top = live("run-top")
    curve = charts()
    rest = live("run-rest")
    timer = gr.Timer(BUSY)
    run_page = RunPage(studio)

    def show(address: str, last: Sent, request: gr.Request) -> list[Any]:
        user = studio.user(request)
        values = parameters(address)
        run_id = whole(values, "run")
        state = _mark(studio, user, run_id)
        if run_id is not None and last.get("mark") == digest((address, state)):
            return [gr.skip()] * 5  # nothing has changed: nothing is read or sent
        if run_id is None:
            shown = _list(studio, user, whole(values, "before"))
        else:
            shown, state = _run(run_page, user, run_id, values, state, fresh=not last)
        pieces = {"top": shown.top, "curve": shown.curve, "rest": shown.rest}
        changes, names = only_new(last, pieces)
        names["mark"] = digest((address, state))
        rate = IDLE if shown.ended else BUSY
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
        in_line(piece.act(act, sent, outputs, **QUIET))
    top.go(go, sent, outputs, **MOVING)


def _mark(studio: Studio, user: int, run_id: int | None) -> object:
    """What changes whenever the view would; of the list nothing cheaper than itself is known."""
    with studio.store.read() as session:
        idle = studio.idle(session)
        if run_id is None:
            return None
        try:
            return idle, run_mark(session, user, run_id)
        except NotFoundError as error:
            return str(error)


def _act(studio: Studio, user: int, data: dict[str, str]) -> None:
    from vecaf.engine.baseline import submit_baseline
    from vecaf.engine.queue import cancel_run, resume_run, submit_task

    run_id = int(data["run"])
    if data.get("act") == "cancel":
        cancel_run(studio.store, run_id, user)
    elif data.get("act") == "resume":
        resume_run(studio.store, run_id, user)
    elif data.get("act") == "baseline":
        submit_baseline(studio.store, run_id, user)
    elif data.get("act") == "map":
        with studio.store.read() as session:
            run = visible(session, user, Run, run_id)
        usual = RunConfig().as_dict()
        params = {
            name: run.config[name]
            for name in ("model", "vlm", "image_size")
            if run.config.get(name, usual[name]) != usual[name]
        }
        submit_task(studio.store, "map", run.dataset_id, params, user)


def _list(studio: Studio, user: int, before: int | None) -> Pieces:
    with studio.store.read() as session:
        found = list_runs(session, user, limit=LISTED + 1, before_id=before)
        lines, more = found[:LISTED], len(found) > LISTED
        curves_of = accuracies(session, user, [line.id for line in lines])
        idle = studio.idle(session)
    busy = any(line.state not in ENDED for line in lines)
    listing = runs_view.listing(lines, curves_of, idle=idle, before=before, more=more)
    return Pieces(listing, NOTHING, NOTHING, not busy)


def _run(
    run_page: RunPage, user: int, run_id: int, values: dict[str, str], mark: object, *, fresh: bool
) -> tuple[Pieces, object]:
    try:
        return run_page.shared(user, run_id, values, mark, fresh=fresh)
    except NotFoundError as error:
        return Pieces(runs_view.missing(str(error)), NOTHING, NOTHING, True), mark
