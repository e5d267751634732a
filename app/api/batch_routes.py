"""The HTTP routes that predict many images."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from ..predict import batch
from ..predict.routes import batch_download, received_batch
from ..shell.ids import LARGEST
from ..shell.studio import Studio
from .answers import ApiError, BatchStatus

RunId = Annotated[int, Path(ge=1, le=LARGEST, description="Number of the run.")]
BatchId = Annotated[int, Path(ge=1, le=LARGEST, description="Id of the predictions.")]
Responses = dict[int | str, dict[str, Any]]
ZIP_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}
MISSING: Responses = {
    404: {"model": ApiError, "description": "It does not exist, or you can't see it."}
}
INVALID: Responses = {400: {"model": ApiError, "description": "The request is invalid."}}
NOT_READY: Responses = {
    409: {"model": ApiError, "description": "The predictions have not finished."}
}
TABLE: Responses = {
    200: {
        "description": "The file.",
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}


def routes(studio: Studio) -> APIRouter:
    """Build the routes."""
    router = APIRouter()

    @router.post(
        "/runs/{run_id}/predictions",
        status_code=202,
        summary="Predict many images",
        openapi_extra=ZIP_BODY,
        responses=INVALID | MISSING,
    )
    async def start(
        run_id: RunId,
        request: Request,
        name: Annotated[
            str, Query(max_length=100, description="Name of these predictions on the Predict page.")
        ] = "",
    ) -> BatchStatus:
        """Queues the predictions. The body is a ZIP file of images."""
        task = await received_batch(studio, request, run_id, name)
        user = await run_in_threadpool(studio.user, request)
        found = await run_in_threadpool(batch.status, studio, user, run_id, task)
        return BatchStatus.model_validate(found)

    @router.get(
        "/runs/{run_id}/predictions/{id}",
        summary="Get the state of a batch prediction",
        responses=MISSING,
    )
    def status(run_id: RunId, id: BatchId, request: Request) -> BatchStatus:
        return BatchStatus.model_validate(batch.status(studio, studio.user(request), run_id, id))

    @router.get(
        "/runs/{run_id}/predictions/{id}/{name}",
        summary="Download the results of a batch prediction",
        response_class=Response,
        responses=TABLE | MISSING | NOT_READY,
    )
    def file(
        run_id: RunId,
        id: BatchId,
        name: Annotated[str, Path(description="predictions.csv or predictions.jsonl.")],
        request: Request,
    ) -> Response:
        """One row per file: class, confidence, distance from the training data, error."""
        return batch_download(studio, request, run_id, id, name)

    return router
