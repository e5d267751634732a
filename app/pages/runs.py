"""The Runs page: the list, and one run as it goes."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components.navbar import Navbar

from app.components.chart import charts, series
from app.components.live import NOTHING, live
from app.pages import run_view, runs_view
from app.pages.address import QUERY_JS, parameters, query_input, whole
from app.studio import Studio
from vecaf.errors import NotFoundError, VecafError
from vecaf.store import ENDED, Dataset, Run, visible
from vecaf.store.pages import accuracies, curves, log_tail
from vecaf.store.runs import list_runs, picks_of, rounds_of, rounds_picked, run_summary

BUSY, IDLE = 1.5, 5.0  # seconds between looks
PICKS = 60  # thumbnails shown at first, and added by "more"
MOST_PICKS = 6000

Shown = tuple[str, str, str, gr.Timer]


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (studio.js)
    query = query_input()
    top = live("run-top")
    curve = charts()
    rest = live("run-rest")
    timer = gr.Timer(BUSY)

    def show(address: str, request: gr.Request) -> Shown:
        user = studio.user(request)
        values = parameters(address)
        run_id = whole(values, "run")
        if run_id is None:
            return _list(studio, user)
        return _run(studio, user, run_id, whole(values, "round"), whole(values, "show"))

    def act(event: gr.EventData, request: gr.Request) -> Shown:
        data = event._data
        try:
            _act(studio, studio.user(request), data)
        except VecafError as error:
            gr.Warning(str(error), title="")
        return show(data.get("query", ""), request)

    def go(event: gr.EventData, request: gr.Request) -> Shown:
        return show(event._data.get("query", ""), request)

    outputs = [top, curve, rest, timer]
    quiet: dict[str, Any] = {
        "show_progress": "hidden",
        "api_visibility": "private",
        "concurrency_limit": None,
    }
    demo.load(show, query, outputs, js=QUERY_JS, **quiet)
    timer.tick(show, query, outputs, js=QUERY_JS, **quiet)
    for piece in (top, rest):
        piece.act(act, None, outputs, **quiet)
    top.go(go, None, outputs, **quiet)


def _act(studio: Studio, user: int, data: dict[str, str]) -> None:
    from vecaf.jobs.queue import cancel_run, resume_run

    run_id = int(data["run"])
    if data.get("act") == "cancel":
        cancel_run(studio.store, run_id, user)
    elif data.get("act") == "resume":
        resume_run(studio.store, run_id, user)


def _list(studio: Studio, user: int) -> Shown:
    with studio.store.read() as session:
        lines = list_runs(session, user)
        curves_of = accuracies(session, user, [line.id for line in lines])
        idle = studio.idle(session)
    busy = any(line.state not in ENDED for line in lines)
    listing = runs_view.listing(lines, curves_of, idle=idle)
    return listing, "", NOTHING, gr.Timer(BUSY if busy else IDLE, active=True)


def _run(studio: Studio, user: int, run_id: int, number: int | None, shown: int | None) -> Shown:
    try:
        with studio.store.read() as session:
            run = visible(session, user, Run, run_id)
            summary = run_summary(session, user, run_id)
            dataset = visible(session, user, Dataset, run.dataset_id)
            rounds = rounds_of(session, user, run_id)
            picked = rounds_picked(session, user, run_id)
            chosen = number if number in picked else max(picked, default=0)
            limit = min(max(PICKS, shown or 0), MOST_PICKS)
            picks = picks_of(session, user, run_id, chosen, limit=limit) if chosen else []
            points = curves(session, user, run_id)
            log = log_tail(session, user, run_id)
            idle = studio.idle(session)
    except NotFoundError as error:
        return runs_view.missing(str(error)), "", NOTHING, gr.Timer(IDLE, active=False)
    top = run_view.top(summary, rounds, idle=idle)
    rest = "".join(
        (
            run_view.picks(run_id, chosen, picked, picks, dataset.classes),
            run_view.confusion(rounds, dataset.classes),
            run_view.settings(run.config),
            run_view.log(log),
        )
    )
    ended = summary.state in ENDED
    return top, series(run_id, points, rounds), rest, gr.Timer(BUSY, active=not ended)
