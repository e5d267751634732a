"""The Predict page: classify an image with a finished run's model, and download the model."""

from __future__ import annotations

import gradio as gr
from gradio.components.navbar import Navbar
from markupsafe import Markup

from vecaf.errors import InputError, NotFoundError
from vecaf.store import FINISHED, visible_sample
from vecaf.store.prediction_queries import finished_runs, newest_finished, test_pictures
from vecaf.store.runs import run_summary

from ..shell.address import QUERY_JS, parameters, query_input, whole
from ..shell.components.live import MOVING, QUIET, live
from ..shell.downloads import export_status, files_of
from ..shell.studio import Studio
from ..shell.templates import macros
from . import batch

TEST_IMAGES = 14  # offered to try


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (navigation.js)
    query = query_input()
    piece = live("predict-page")

    def show(address: str, request: gr.Request) -> str:
        values = parameters(address)
        own = f"{request.url.scheme}://{request.headers.get('host', '')}"
        return content(studio, studio.user(request), values, own)

    def go(event: gr.EventData, request: gr.Request) -> str:
        return show(event._data.get("query", ""), request)

    demo.load(show, query, piece, js=QUERY_JS, **QUIET)
    piece.go(go, None, piece, **MOVING)


def content(studio: Studio, user: int, values: dict[str, str], own: str) -> str:
    """Return the page's HTML for the run and the image that the address names.

    `own` is the address of the studio, without a path.
    """
    html = macros("predict")
    run_id, dataset, sample_id = (whole(values, name) for name in ("run", "dataset", "image"))
    with studio.store.read() as session:
        if run_id is None:
            run_id = newest_finished(session, user, dataset)
        if run_id is None:
            return str(html.no_run())
        try:
            selected = run_summary(session, user, run_id)
        except NotFoundError as error:
            return str(html.not_available(str(error)))
        if selected.state != FINISHED:
            message = f"Run {run_id} has not finished, so it has no model yet."
            return str(html.not_available(message))
        try:
            image = None if sample_id is None else visible_sample(session, user, sample_id)
        except NotFoundError as error:
            return str(html.not_available(str(error), run_id))
        runs = finished_runs(session, user)
        test_images = test_pictures(session, user, run_id, TEST_IMAGES)
    if all(run.id != run_id for run in runs):
        runs.append(selected)
    if studio.inference is not None:
        studio.inference.prepare("open_model", user=user, run_id=run_id)
    export, files, problem = _export(studio, user, run_id)
    try:
        many = Markup(batch.section(studio, user, run_id, values))
    except NotFoundError as error:
        return str(html.not_available(str(error), run_id))
    return str(
        html.page(
            runs, selected, test_images, image, export, files, problem, own, studio.accounts, many
        )
    )


def _export(
    studio: Studio, user: int, run_id: int
) -> tuple[dict[str, object], list[str], str | None]:
    """Return (the export's status, the names of its files, why there can be no export)."""
    try:
        export = export_status(studio, user, run_id)
        files = files_of(studio, user, run_id) if export["state"] == FINISHED else []
    except InputError as error:  # the model's files are missing
        return {}, [], str(error)
    return export, [file["name"] for file in files], None
