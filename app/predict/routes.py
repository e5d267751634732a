"""Routes that predict with a run's model. An uploaded image is deleted after the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from vecaf.errors import UnavailableError
from vecaf.store.prediction_queries import samples_of_run

from ..shell.ids import Id, QueryId
from ..shell.received import check_image, image_in
from ..shell.studio import Studio
from ..shell.templates import macros
from ..shell.waiting import while_connected


async def predict_sample(studio: Studio, user: int, run_id: int, sample_id: int) -> dict[str, Any]:
    """Return the model's answer for a stored image (see `vecaf.inference.predict`)."""
    return await _ask(studio, user, run_id=run_id, sample_id=sample_id)


async def predict_file(studio: Studio, user: int, run_id: int, path: Path) -> dict[str, Any]:
    """Return the model's answer for an uploaded image file.

    Raises InputError for a file that an import would refuse.
    """
    await check_image(studio, user, path)
    return await _ask(studio, user, run_id=run_id, path=str(path))


async def _ask(studio: Studio, user: int, **question: Any) -> dict[str, Any]:
    if studio.inference is None:
        raise UnavailableError("This studio has no inference process, so it can't predict.")
    return await studio.inference.ask("predict", user=user, **question)


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    def answered(user: int, run_id: int, answer: dict[str, Any]) -> JSONResponse:
        ids = {entry["id"] for name in ("nearest", "toward", "against") for entry in answer[name]}
        with studio.store.read() as session:
            samples, classes = samples_of_run(session, user, run_id, ids)
        return JSONResponse({"html": macros("predict").result(answer, samples, classes)})

    @router.get("/predict/{run_id}")
    async def sample(run_id: Id, image: QueryId, request: Request) -> JSONResponse:
        user = await run_in_threadpool(studio.user, request)
        answer = predict_sample(studio, user, run_id, image)
        return await run_in_threadpool(
            answered, user, run_id, await while_connected(request, answer)
        )

    @router.post("/predict/{run_id}")
    async def upload(run_id: Id, request: Request) -> JSONResponse:
        user = await run_in_threadpool(studio.user, request)
        async with image_in(studio, request) as path:
            answer = await while_connected(request, predict_file(studio, user, run_id, path))
        return await run_in_threadpool(answered, user, run_id, answer)

    return router
