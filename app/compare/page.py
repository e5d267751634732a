"""The Compare page: /compare?runs=1,2,3&target=90."""

from __future__ import annotations

import math
from typing import Any

import gradio as gr
from gradio.components.navbar import Navbar

from vecaf.errors import VecafError
from vecaf.evaluation.compared_runs import compare_groups, runs_to_compare
from vecaf.evaluation.run_groups import group_runs
from vecaf.store import ENDED

from ..shell.address import parameters, query_input
from ..shell.components.chart import charts
from ..shell.components.live import MOVING, NOTHING, QUIET, live
from ..shell.components.sent import Sent, only_new, sent_input
from ..shell.studio import Studio
from . import view as compare_view

BUSY_SECONDS = 2.5  # between updates while a run is unfinished
MOST_RUNS = 60


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (navigation.js)
    query = query_input()
    sent = sent_input()
    top = live("compare-top")
    curve = charts(compare_view.CHART, "compare-chart")
    rest = live("compare-rest")
    timer = gr.Timer(BUSY_SECONDS, active=False)

    def show(address: str, last: Sent, request: gr.Request) -> list[Any]:
        pieces, ended = _pieces(studio, studio.user(request), parameters(address))
        changes, names = only_new(last, pieces)
        names["timer"] = "off" if ended else "on"
        same = last.get("timer") == names["timer"]
        return [*changes, gr.skip() if same else gr.Timer(BUSY_SECONDS, active=not ended), names]

    def go(last: Sent, event: gr.EventData, request: gr.Request) -> list[Any]:
        return show(event._data.get("query", ""), last, request)

    outputs = [top, curve, rest, timer, sent]
    js = "(_, last) => [studio.query(), last]"
    demo.load(show, [query, sent], outputs, js=js, **QUIET)
    timer.tick(show, [query, sent], outputs, js=js, **QUIET)
    top.go(go, sent, outputs, **MOVING)


def _pieces(studio: Studio, user: int, values: dict[str, str]) -> tuple[dict[str, str], bool]:
    """Return the page's HTML by piece, and whether all runs have ended."""
    try:
        with studio.store.read() as session:
            dataset, found = runs_to_compare(session, user, read_runs(values.get("runs", "")))
            groups = group_runs(found)
            reference = groups[-1]
            verdicts = [
                (place, compared)
                for place, group in enumerate(groups[:-1])
                if (compared := compare_groups(session, user, studio.settings, group, reference))
                is not None
            ]
            name = dataset.name
    except VecafError as error:
        pieces = {"top": compare_view.nothing(str(error)), "curve": NOTHING, "rest": NOTHING}
        return pieces, True
    target = read_target(values.get("target", ""))
    if target is None:
        target = reference.final_accuracy()
    if target is None:
        ends = [end for group in groups if (end := group.final_accuracy()) is not None]
        target = max(ends, default=None)
    pieces = {
        "top": compare_view.top(name, groups, verdicts),
        "curve": compare_view.chart(groups, target),
        "rest": compare_view.rest(groups, target, verdicts),
    }
    return pieces, all(run.state in ENDED for run in found)


def read_runs(text: str) -> list[int]:
    """Return the ids in '3,1,2', without entries that are no id."""
    parts = [part.strip() for part in text.split(",")[:MOST_RUNS]]
    return [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) <= 18]


def read_target(text: str) -> float | None:
    """Return a percentage as a fraction, None for other text."""
    try:
        value = float(text) / 100
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= 1 else None
