"""The HTTP routes of the API, its OpenAPI schema, and its documentation page."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from vecaf.errors import NotFoundError
from vecaf.store.records import RunDetails

from ..predict.routes import predict_file, predict_sample
from ..shell.downloads import (
    export_status,
    file_response,
    files_of,
    prepare,
    zip_response,
)
from ..shell.ids import LARGEST
from ..shell.received import image_in
from ..shell.static import address
from ..shell.studio import Studio
from ..shell.templates import macros
from ..shell.waiting import while_connected
from . import batch_routes, operations
from .answers import (
    EndpointList,
    ExportFileList,
    ExportStatus,
    Prediction,
    RunList,
)
from .dataset_routes import add_dataset_routes
from .received import (
    FILE,
    INVALID,
    NO_RUN,
    NOT_READY,
    SIGNED_OUT,
    UNAVAILABLE,
    ZIP,
    json_in,
)
from .schema import (
    BASE,
    DESCRIPTION,
    object_types_in,
    openapi,
    operations_in,
    settings_schema,
)

RunId = Annotated[int, Path(ge=1, le=LARGEST, description="Number of the run.")]
JSON_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": settings_schema()}},
    }
}
IMAGE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def routes(studio: Studio) -> APIRouter:
    """Build the routes. The schema and the documentation page describe them."""
    router = APIRouter(prefix=BASE, responses=SIGNED_OUT)

    @cache
    def schema() -> dict[str, Any]:
        return openapi(router.routes)

    @router.get("", include_in_schema=False)
    def index() -> EndpointList:
        found = operations_in(schema())
        return EndpointList(endpoints={f"{one.method} {one.path}": one.summary for one in found})

    @router.get("/openapi.json", include_in_schema=False)
    def openapi_schema(request: Request) -> JSONResponse:
        studio.user(request)
        return JSONResponse(schema())

    @router.get("/docs", include_in_schema=False)
    def documentation(request: Request) -> HTMLResponse:
        studio.user(request)
        page = macros("api", "docs.html").page(
            operations_in(schema()), object_types_in(schema()), BASE, DESCRIPTION, address
        )
        return HTMLResponse(page)

    add_dataset_routes(router, studio)

    @router.get("/runs", summary="List runs")
    def runs(
        request: Request,
        before: Annotated[
            int | None, Query(ge=1, le=LARGEST, description="Only list runs before this run.")
        ] = None,
    ) -> RunList:
        """Lists at most 100 runs, newest first. For more, pass the last run as `before`."""
        return operations.list_newest_runs(studio, studio.user(request), before)

    @router.post(
        "/runs", status_code=201, summary="Launch a run", openapi_extra=JSON_BODY, responses=INVALID
    )
    async def launch(request: Request) -> RunDetails:
        """Queues a run. The body is a JSON object of settings; only `dataset` is required."""
        user, settings = await run_in_threadpool(studio.user, request), await json_in(request)
        return await run_in_threadpool(operations.launch_run, studio, user, settings)

    @router.get("/runs/{run_id}", summary="Get a run", responses=NO_RUN)
    def run(run_id: RunId, request: Request) -> RunDetails:
        """Returns the state, the progress, and the results of the finished rounds."""
        return operations.get_run(studio, studio.user(request), run_id)

    @router.post("/runs/{run_id}/cancel", summary="Cancel a run", responses=NO_RUN)
    def cancel(run_id: RunId, request: Request) -> RunDetails:
        """The run keeps its finished rounds. It is `canceled` within a few seconds."""
        return operations.cancel_run(studio, studio.user(request), run_id)

    @router.get(
        "/runs/{run_id}/predict",
        summary="Predict an image of a dataset",
        responses=NO_RUN | UNAVAILABLE,
    )
    async def predict_stored(
        run_id: RunId,
        image: Annotated[int, Query(ge=1, le=LARGEST, description="Id of the image.")],
        request: Request,
    ) -> Prediction:
        """Predicts with the model of a finished run."""
        user = await run_in_threadpool(studio.user, request)
        answer = predict_sample(studio, user, run_id, image)
        return Prediction.model_validate(await while_connected(request, answer))

    @router.post(
        "/runs/{run_id}/predict",
        summary="Predict an image file",
        openapi_extra=IMAGE_BODY,
        responses=INVALID | NO_RUN | UNAVAILABLE,
    )
    async def predict_uploaded(run_id: RunId, request: Request) -> Prediction:
        """Predicts with the model of a finished run. The studio does not keep the image."""
        user = await run_in_threadpool(studio.user, request)
        async with image_in(studio, request) as path:
            answer = predict_file(studio, user, run_id, path)
            return Prediction.model_validate(await while_connected(request, answer))

    router.include_router(batch_routes.routes(studio))

    @router.post(
        "/runs/{run_id}/export", status_code=202, summary="Start an export", responses=NO_RUN
    )
    def start_export(run_id: RunId, request: Request) -> ExportStatus:
        """Prepares the files of a finished run for download. You can repeat the request safely."""
        return ExportStatus.model_validate(prepare(studio, studio.user(request), run_id))

    @router.get("/runs/{run_id}/export", summary="Get the state of an export", responses=NO_RUN)
    def export(run_id: RunId, request: Request) -> ExportStatus:
        return ExportStatus.model_validate(export_status(studio, studio.user(request), run_id))

    @router.get(
        "/runs/{run_id}/files", summary="List the files of an export", responses=NO_RUN | NOT_READY
    )
    def files(run_id: RunId, request: Request) -> ExportFileList:
        return ExportFileList.model_validate(
            {"files": files_of(studio, studio.user(request), run_id)}
        )

    @router.get(
        "/runs/{run_id}/files/{name}",
        summary="Download a file of an export",
        response_class=StreamingResponse,
        responses=FILE | NO_RUN | NOT_READY,
    )
    def file(run_id: RunId, name: str, request: Request) -> StreamingResponse:
        return file_response(studio, studio.user(request), run_id, name)

    @router.get(
        "/runs/{run_id}/model",
        summary="Download an export as a ZIP file",
        response_class=FileResponse,
        responses=ZIP | NO_RUN | NOT_READY,
    )
    def model(run_id: RunId, request: Request) -> FileResponse:
        """The ZIP file contains the model, its labels, and a program that predicts with it."""
        return zip_response(studio, studio.user(request), run_id)

    @router.api_route(
        "/{rest:path}",
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        include_in_schema=False,
    )
    def unknown(rest: str) -> JSONResponse:
        raise NotFoundError(f"No such endpoint. GET {BASE} lists the endpoints.")

    return router
