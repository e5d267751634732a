"""The HTTP API: JSON under /api/v1, and the same functions through gradio_client.

Each function authorizes the user who sent the request. A VecafError becomes {"error": sentence}
over HTTP, and the client's exception in gradio_client.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from gradio.events import api
from starlette.concurrency import run_in_threadpool

from app.predict.routes import predict_file, predict_sample
from app.shell.body_limit import IMAGE, MIB
from app.shell.downloads import (
    Id,
    QueryId,
    export_status,
    file_response,
    files_of,
    prepare,
    zip_response,
)
from app.shell.received import image_in, image_of
from app.shell.studio import Studio
from app.shell.waiting import while_connected
from vecaf.config import RunConfig
from vecaf.errors import InputError, NotFoundError, VecafError
from vecaf.store import FINISHED
from vecaf.store.datasets import dataset_summaries
from vecaf.store.runs import RunSummary, list_runs, rounds_of, run_summary

BASE = "/api/v1"
ENDPOINTS = {
    "GET /api/v1/datasets": "list datasets",
    "GET /api/v1/runs": "list the newest 100 runs, newest first",
    "GET /api/v1/runs?before=RUN": "list the newest 100 runs before this one",
    "POST /api/v1/runs": 'launch a run; the body has its settings, at least {"dataset": …}',
    "GET /api/v1/runs/RUN": "get a run: its state, progress and rounds",
    "POST /api/v1/runs/RUN/cancel": "cancel a run",
    "POST /api/v1/runs/RUN/predict": "predict an image; the body is the bytes of an image file",
    "GET /api/v1/runs/RUN/predict?image=IMAGE": "predict an image of a dataset",
    "POST /api/v1/runs/RUN/export": "prepare the export of a run",
    "GET /api/v1/runs/RUN/export": "get the progress of the export",
    "GET /api/v1/runs/RUN/files": "list the files of the export",
    "GET /api/v1/runs/RUN/files/NAME": "download one file of the export",
    "GET /api/v1/runs/RUN/model": "download the export as a zip",
}

Answer = dict[str, Any]
Result = TypeVar("Result")


def list_datasets(studio: Studio, user: int) -> Answer:
    with studio.store.read() as session:
        found = dataset_summaries(session, user)
    return {
        "datasets": [
            {"id": d.id, "name": d.name, "images": d.images, "classes": d.classes,
             "splits": d.splits}
            for d in found
        ]
    }  # fmt: skip


def list_of_runs(studio: Studio, user: int, before: int | None = None) -> Answer:
    """Return the newest 100 runs, or the newest 100 before a run."""
    with studio.store.read() as session:
        return {"runs": [_run(run) for run in list_runs(session, user, before_id=before)]}


def one_run(studio: Studio, user: int, run_id: int) -> Answer:
    with studio.store.read() as session:
        run = run_summary(session, user, run_id)
        rounds = rounds_of(session, user, run_id)
    kept = ("labeled", "batches", "val_accuracy", "test_accuracy", "seconds")
    listed = [{"round": r.number} | {name: getattr(r, name) for name in kept} for r in rounds]
    return _run(run) | {"results": listed}


def launch(studio: Studio, user: int, settings: object) -> Answer:
    """Queue a run. `settings` are fields of RunConfig. Raise InputError if they are invalid."""
    from vecaf.engine.queue import submit_run

    if not isinstance(settings, dict) or not settings.get("dataset"):
        raise InputError(
            'Send settings as a JSON object with at least "dataset": a dataset\'s name.'
        )
    run_id = submit_run(studio.store, RunConfig.from_dict(settings), user)
    return one_run(studio, user, run_id)


def cancel(studio: Studio, user: int, run_id: int) -> Answer:
    from vecaf.engine.queue import cancel_run

    cancel_run(studio.store, run_id, user)
    return one_run(studio, user, run_id)


def _run(run: RunSummary) -> Answer:
    kept = (
        "name", "dataset", "strategy", "state", "stage", "done", "total", "rounds", "rounds_done",
        "val_accuracy", "test_accuracy", "error",
    )  # fmt: skip
    return {"run": run.id} | {name: getattr(run, name) for name in kept}


def routes(studio: Studio) -> APIRouter:
    """Return the routes of the HTTP API."""
    router = APIRouter(prefix=BASE)

    @router.get("")
    def index() -> JSONResponse:
        return JSONResponse({"endpoints": ENDPOINTS})

    @router.get("/datasets")
    def datasets(request: Request) -> JSONResponse:
        return JSONResponse(list_datasets(studio, studio.user(request)))

    @router.get("/runs")
    def runs(request: Request, before: QueryId | None = None) -> JSONResponse:
        return JSONResponse(list_of_runs(studio, studio.user(request), before))

    @router.post("/runs")
    async def start(request: Request) -> JSONResponse:
        user, settings = await run_in_threadpool(studio.user, request), await _json_in(request)
        return JSONResponse(await run_in_threadpool(launch, studio, user, settings), 201)

    @router.get("/runs/{run_id}")
    def run(run_id: Id, request: Request) -> JSONResponse:
        return JSONResponse(one_run(studio, studio.user(request), run_id))

    @router.post("/runs/{run_id}/cancel")
    def stop(run_id: Id, request: Request) -> JSONResponse:
        return JSONResponse(cancel(studio, studio.user(request), run_id))

    @router.get("/runs/{run_id}/predict")
    async def predict_one(run_id: Id, image: QueryId, request: Request) -> JSONResponse:
        user = await run_in_threadpool(studio.user, request)
        answer = predict_sample(studio, user, run_id, image)
        return JSONResponse(await while_connected(request, answer))

    @router.post("/runs/{run_id}/predict")
    async def predict(run_id: Id, request: Request) -> JSONResponse:
        user = await run_in_threadpool(studio.user, request)
        async with image_in(studio, request) as path:
            answer = predict_file(studio, user, run_id, path)
            return JSONResponse(await while_connected(request, answer))

    @router.get("/runs/{run_id}/export")
    def export(run_id: Id, request: Request) -> JSONResponse:
        return JSONResponse(export_status(studio, studio.user(request), run_id))

    @router.post("/runs/{run_id}/export")
    def start_export(run_id: Id, request: Request) -> JSONResponse:
        return JSONResponse(prepare(studio, studio.user(request), run_id), 202)

    @router.get("/runs/{run_id}/files")
    def files(run_id: Id, request: Request) -> JSONResponse:
        return JSONResponse({"files": files_of(studio, studio.user(request), run_id)})

    @router.get("/runs/{run_id}/files/{name}")
    def file(run_id: Id, name: str, request: Request) -> StreamingResponse:
        return file_response(studio, studio.user(request), run_id, name)

    @router.get("/runs/{run_id}/model")
    def model(run_id: Id, request: Request) -> FileResponse:
        return zip_response(studio, studio.user(request), run_id)

    @router.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def nothing(rest: str) -> JSONResponse:
        raise NotFoundError(f"No such endpoint. GET {BASE} lists all endpoints.")

    return router


async def _json_in(request: Request) -> object:
    try:
        value: object = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise InputError("The body is not valid JSON. Correct it and try again.") from error
    return value


def endpoints(studio: Studio) -> None:
    """Add the functions for gradio_client; call it inside a Blocks context.

    An image is sent as base64 text: Gradio would keep a file in its cache.
    """

    def said(do: Callable[[], Result]) -> Result:
        try:
            return do()
        except VecafError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def datasets(request: gr.Request) -> dict[str, Any]:
        """List the datasets."""
        return said(lambda: list_datasets(studio, studio.user(request)))

    def runs(request: gr.Request, before: int | None = None) -> dict[str, Any]:
        """List the newest 100 runs, newest first, or the newest 100 before a run."""
        last = None if before is None else _id(before)
        return said(lambda: list_of_runs(studio, studio.user(request), last))

    def run(run: int, request: gr.Request) -> dict[str, Any]:
        """Get a run: its state, progress and rounds."""
        return said(lambda: one_run(studio, studio.user(request), _id(run)))

    def launch_run(settings: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        """Launch a run. `settings` has at least "dataset"."""
        return said(lambda: launch(studio, studio.user(request), settings))

    def cancel_run(run: int, request: gr.Request) -> dict[str, Any]:
        """Cancel a run. Finished rounds are kept."""
        return said(lambda: cancel(studio, studio.user(request), _id(run)))

    async def predict(run: int, image_base64: str, request: gr.Request) -> dict[str, Any]:
        """Predict an image, given as base64 text, with the model of a finished run."""
        user = await run_in_threadpool(studio.user, request)
        try:
            async with image_of(studio, _decoded(image_base64)) as path:
                return await predict_file(studio, user, _id(run), path)
        except VecafError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def model_files(run: int, request: gr.Request) -> dict[str, Any]:
        """Prepare the export of a finished run. Return its state, and its files when ready."""
        run_id, user = _id(run), studio.user(request)

        def prepared() -> Answer:
            status = prepare(studio, user, run_id)
            ready = status["state"] == FINISHED
            files = files_of(studio, user, run_id) if ready else []
            return status | {"files": files, "address": f"{BASE}/runs/{run_id}/model"}

        return said(prepared)

    for function in (datasets, runs, run, launch_run, cancel_run, predict, model_files):
        api(function, api_name=function.__name__, concurrency_limit=4)


def _id(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        raise gr.Error("`run` must be the id of a run, as `runs` lists it.", print_exception=False)
    return value


def _decoded(text: object) -> bytes:
    if not isinstance(text, str) or len(text) > IMAGE * 4 // 3 + 4:
        raise InputError(f"The image must be base64 text of at most {IMAGE // MIB} MB.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("The image is not valid base64 text.") from error
