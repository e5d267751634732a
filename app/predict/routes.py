"""Predicting with a run's model: an image comes in, is checked, asked about and forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from app.predict import view as predict_view
from app.shell.downloads import AskedId, Id
from app.shell.received import check_image, image_in
from app.shell.studio import Studio
from app.shell.waiting import while_connected
from vecaf.errors import UnavailableError
from vecaf.store.predicting import samples_of_run


async def predict_sample(studio: Studio, user: int, run_id: int, sample_id: int) -> dict[str, Any]:
    """The desk's answer for an image that the studio has (vecaf.inference.predict)."""
    return await _ask(studio, user, run_id=run_id, sample_id=sample_id)


async def predict_file(studio: Studio, user: int, run_id: int, path: Path) -> dict[str, Any]:
    """The desk's answer for an image file that somebody sent.

    Raises InputError for what is not an image that an import would take.
    """
    await check_image(studio, user, path)
    return await _ask(studio, user, run_id=run_id, path=str(path))


async def _ask(studio: Studio, user: int, **question: Any) -> dict[str, Any]:
    if studio.desk is None:
        raise UnavailableError("This studio runs without the process that asks models.")
    return await studio.desk.ask("predict", user=user, **question)


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    def shown(user: int, run_id: int, answer: dict[str, Any]) -> JSONResponse:
        ids = {entry["id"] for name in ("nearest", "toward", "against") for entry in answer[name]}
        with studio.store.read() as session:
            samples, classes = samples_of_run(session, user, run_id, ids)
        return JSONResponse({"html": predict_view.result(answer, samples, classes)})

    @router.get("/predict/{run_id}")
    async def sample(run_id: Id, image: AskedId, request: Request) -> JSONResponse:
        user = await run_in_threadpool(studio.user, request)
        answer = predict_sample(studio, user, run_id, image)
        return await run_in_threadpool(shown, user, run_id, await while_connected(request, answer))

    @router.post("/predict/{run_id}")
    async def upload(run_id: Id, request: Request) -> JSONResponse:
        user = await run_in_threadpool(studio.user, request)
        async with image_in(studio, request) as path:
            answer = await while_connected(request, predict_file(studio, user, run_id, path))
        return await run_in_threadpool(shown, user, run_id, answer)

    return router
