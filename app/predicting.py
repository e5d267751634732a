"""Predicting with a run's model: an image comes in, is checked, asked about and forgotten."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from app.downloads import AskedId, Id
from app.pages import predict_view
from app.studio import Studio
from app.uploads import PART
from app.waiting import while_connected
from vecaf.datasets.images import check
from vecaf.datasets.report import Refused
from vecaf.errors import InputError, UnavailableError
from vecaf.store.predicting import samples_of_run

MAX_BYTES = 32 * 1024**2  # of one image to predict; photos have a third of that


async def predict_sample(studio: Studio, user: int, run_id: int, sample_id: int) -> dict[str, Any]:
    """The desk's answer for an image that the studio has (vecaf.desk.predict)."""
    return await _ask(studio, user, run_id=run_id, sample_id=sample_id)


async def predict_bytes(studio: Studio, user: int, run_id: int, content: bytes) -> dict[str, Any]:
    """The desk's answer for an image file's bytes, which no disk keeps beyond the answer.

    Raises InputError for what is not an image that an import would take.
    """
    path = studio.settings.uploads / f"{secrets.token_hex(16)}{PART}"  # swept at the next start
    try:
        await run_in_threadpool(_write_checked, studio, content, path)
        return await _ask(studio, user, run_id=run_id, path=str(path))
    finally:
        path.unlink(missing_ok=True)


def _write_checked(studio: Studio, content: bytes, path: Path) -> None:
    try:
        image = check(content, studio.settings.limits)
    except Refused as reason:
        raise InputError(f"This image can't be used: {reason}.") from reason
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image.content)


async def _ask(studio: Studio, user: int, **question: Any) -> dict[str, Any]:
    if studio.desk is None:
        raise UnavailableError("This studio runs without the process that asks models.")
    return await studio.desk.ask("predict", user=user, **question)


async def image_in(request: Request) -> bytes:
    """A request's body, which is an image file. Raises InputError where it is none or too long."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BYTES:
            raise InputError(
                f"The image has more than {MAX_BYTES // 1024**2} MB. Make it smaller first."
            )
        pieces.append(piece)
    if not size:
        raise InputError("There is no image in the request: send the file's bytes as its body.")
    return b"".join(pieces)


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
        answer = predict_bytes(studio, user, run_id, await image_in(request))
        return await run_in_threadpool(shown, user, run_id, await while_connected(request, answer))

    return router
