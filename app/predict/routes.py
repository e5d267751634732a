"""Routes that predict with a run's model. A single uploaded image is deleted after the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from vecaf.datasets.snapshot import classes_of_run
from vecaf.runs.batch_results import CSV
from vecaf.store import Run, visible
from vecaf.store.prediction_queries import samples_of_run

from ..shell.downloads import NO_STORE
from ..shell.ids import Id, QueryId
from ..shell.media import KEPT, MEDIA
from ..shell.received import check_image, image_in
from ..shell.studio import Studio
from ..shell.templates import macros
from ..shell.uploads import received_archive
from ..shell.waiting import while_connected
from . import batch

Digest = Annotated[str, InPath(pattern="^[0-9a-f]{64}$")]
Which = Literal["all", "unlike"]


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
    return await studio.running_inference().ask("predict", user=user, **question)


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    def answered(user: int, run_id: int, answer: dict[str, Any]) -> JSONResponse:
        ids = {entry["id"] for name in ("nearest", "toward", "against") for entry in answer[name]}
        with studio.store.read() as session:
            samples, now = samples_of_run(session, user, run_id, ids)
        classes = classes_of_run(studio.settings.runs / str(run_id), now)
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

    @router.post("/predict/{run_id}/batch", status_code=202)
    async def start_batch(run_id: Id, request: Request, name: str = "") -> JSONResponse:
        """Queue the predictions of the images in the body, a ZIP file."""
        task = await received_batch(studio, request, run_id, name)
        return JSONResponse({"task": task}, 202)

    @router.get("/predict/{run_id}/batch/{task_id}")
    def batch_status(run_id: Id, task_id: Id, request: Request) -> JSONResponse:
        found = batch.status(studio, studio.user(request), run_id, task_id)
        return JSONResponse(found, headers=NO_STORE)

    @router.get("/predict/{run_id}/batch/{task_id}/{name}")
    def batch_file(run_id: Id, task_id: Id, name: str, request: Request) -> Response:
        """Send predictions.csv or predictions.jsonl."""
        return batch_download(studio, request, run_id, task_id, name)

    @router.get("/predict/{run_id}/batch/{task_id}/thumb/{sha256}")
    def batch_thumb(run_id: Id, task_id: Id, sha256: Digest, request: Request) -> FileResponse:
        user = studio.user(request)
        path = batch.image_of_batch(studio, user, run_id, task_id, sha256, small=True)
        return FileResponse(path, media_type=MEDIA[path.suffix], headers={"Cache-Control": KEPT})

    @router.get("/predict/{run_id}/batch/{task_id}/image/{sha256}")
    def batch_image(run_id: Id, task_id: Id, sha256: Digest, request: Request) -> FileResponse:
        user = studio.user(request)
        path = batch.image_of_batch(studio, user, run_id, task_id, sha256, small=False)
        return FileResponse(path, media_type=MEDIA[path.suffix], headers={"Cache-Control": KEPT})

    @router.post("/predict/{run_id}/batch/{task_id}/import", status_code=202)
    def import_batch(
        run_id: Id, task_id: Id, request: Request, name: str, which: Which = "all"
    ) -> JSONResponse:
        """Queue an import of images of the batch as a dataset without labels."""
        user = studio.user(request)
        return JSONResponse(
            {"import": batch.import_images(studio, user, run_id, task_id, name, which)}, 202
        )

    return router


async def received_batch(studio: Studio, request: Request, run_id: int, name: str) -> int:
    """Queue the predictions of the images in the body, a ZIP file; return the id of the task.

    Raises the errors of `batch.start` and `received_archive`.
    """
    user = await run_in_threadpool(studio.user, request)
    with studio.store.read() as session:
        visible(session, user, Run, run_id)  # before the upload is stored
    archive = await received_archive(studio, request)
    try:
        return await run_in_threadpool(batch.start, studio, user, run_id, archive, name)
    except BaseException:
        archive.unlink(missing_ok=True)
        raise


def batch_download(
    studio: Studio, request: Request, run_id: int, task_id: int, name: str
) -> Response:
    """Return a file with the results of a batch. Raises NotFoundError, NotReadyError."""
    content = batch.file_of(studio, studio.user(request), run_id, task_id, name)
    kind = "text/csv" if name == CSV else "application/jsonl"
    disposition = f'attachment; filename="{name}"'
    headers = {"Content-Disposition": disposition, **NO_STORE}
    return Response(content, media_type=f"{kind}; charset=utf-8", headers=headers)
