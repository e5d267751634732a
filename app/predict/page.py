"""The Predict page: a finished run's model, asked about one image and taken away."""

from __future__ import annotations

import gradio as gr
from gradio.components.navbar import Navbar

from app.predict import view
from app.shell import markup as m
from app.shell.address import QUERY_JS, parameters, query_input, whole
from app.shell.components.live import MOVING, QUIET, live
from app.shell.downloads import export_status, files_of
from app.shell.studio import Studio
from vecaf.errors import InputError, NotFoundError
from vecaf.store import FINISHED, visible_sample
from vecaf.store.predicting import finished_runs, newest_finished, test_pictures
from vecaf.store.runs import run_summary

TRIES = 14  # test images that are offered


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (studio.js)
    query = query_input()
    piece = live("predict-page")

    def show(address: str, request: gr.Request) -> str:
        values = parameters(address)
        return _page(studio, studio.user(request), values, request.headers.get("host", ""))

    def go(event: gr.EventData, request: gr.Request) -> str:
        return show(event._data.get("query", ""), request)

    demo.load(show, query, piece, js=QUERY_JS, **QUIET)
    piece.go(go, None, piece, **MOVING)


def _page(studio: Studio, user: int, values: dict[str, str], host: str) -> str:
    run_id, dataset, sample_id = (whole(values, name) for name in ("run", "dataset", "image"))
    with studio.store.read() as session:
        if run_id is None:
            run_id = newest_finished(session, user, dataset)
        if run_id is None:
            return view.no_run()
        try:
            chosen = run_summary(session, user, run_id)
            image = None if sample_id is None else visible_sample(session, user, sample_id)
        except NotFoundError as error:
            return view.missing(str(error))
        if chosen.state != FINISHED:
            return view.missing(f"Run {run_id} has not finished, so it has no model yet.")
        runs = finished_runs(session, user)
        tries = test_pictures(session, user, run_id, TRIES)
    if all(run.id != run_id for run in runs):
        runs.append(chosen)
    if studio.desk is not None:
        studio.desk.prepare("open_model", user=user, run_id=run_id)
    return view.page(runs, chosen, tries, image, _downloads(studio, user, run_id), host)


def _downloads(studio: Studio, user: int, run_id: int) -> str:
    try:
        export = export_status(studio, user, run_id)
        files = files_of(studio, user, run_id) if export["state"] == FINISHED else []
    except InputError as error:  # the model's files are missing
        return m.notice(str(error))
    return view.download(run_id, export, files)
