"""Predicting with a run's model: an image comes in, is checked, asked about and forgotten."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from app.downloads import AskedId, Id
from app.pages import predict_view
from app.studio import Studio
from app.uploads import PART
from vecaf.datasets.images import check
from vecaf.datasets.report import Refused
from vecaf.errors import InputError, UnavailableError
from vecaf.store.predicting import samples_of_run

MAX_BYTES = 32 * 1024**2  # of one image to predict; photos have a third of that


def predict_sample(studio: Studio, user: int, run_id: int, sample_id: int) -> dict[str, Any]:
    """The desk's answer for an image that the studio has (vecaf.desk.predict)."""
    return _ask(studio, user, run_id=run_id, sample_id=sample_id)


def predict_bytes(studio: Studio, user: int, run_id: int, content: bytes) -> dict[str, Any]:
    """The desk's answer for an image file's bytes, which no disk keeps beyond the answer.

    Raises InputError for what is not an image that an import would take.
    """
    try:
        image = check(content, studio.settings.limits)
    except Refused as reason:
        raise InputError(f"This image can't be used: {reason}.") from reason
    folder = studio.settings.uploads
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{secrets.token_hex(16)}{PART}"  # swept at a start, should we die here
    try:
        path.write_bytes(image.content)
        return _ask(studio, user, run_id=run_id, path=str(path))
    finally:
        path.unlink(missing_ok=True)


def _ask(studio: Studio, user: int, **question: Any) -> dict[str, Any]:
    if studio.desk is None:
        raise UnavailableError("This studio runs without the process that asks models.")
    return studio.desk.ask("predict", user=user, **question)


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
    def sample(run_id: Id, image: AskedId, request: Request) -> JSONResponse:
        user = studio.user(request)
        return shown(user, run_id, predict_sample(studio, user, run_id, image))

    @router.post("/predict/{run_id}")
    async def upload(run_id: Id, request: Request) -> JSONResponse:
        user = studio.user(request)
        content = await image_in(request)
        answer = await asyncio.to_thread(predict_bytes, studio, user, run_id, content)
        return await asyncio.to_thread(shown, user, run_id, answer)

    return router
