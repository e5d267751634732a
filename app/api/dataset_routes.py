"""The routes of the API for datasets: import, export, select, and request labels."""

from __future__ import annotations

import zipfile
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from vecaf.config import RunConfig
from vecaf.datasets.columns import Columns
from vecaf.errors import InputError

from ..data.export import export_response
from ..select.submission import SETTINGS
from ..shell import uploads
from ..shell.ids import LARGEST
from ..shell.studio import Studio
from . import operations, selection_operations
from .answers import DatasetList, ImportStatus, LabelRequest, SelectionStatus
from .received import INVALID, NO_ACCESS, ZIP, json_in
from .schema import settings_schema

ZIP_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}
RUN = {"type": "integer", "description": "A run whose model scores the images."}
BUDGET = {
    "type": "string",
    "description": (
        "How many images to select: a count (100), or a percentage (5%) of all images in the pool. "
        "They need no labels, except in the labels-known track."
    ),
    "default": RunConfig().budget,
}
SELECTION_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": settings_schema(("dataset", *SETTINGS), {"run": RUN, "budget": BUDGET})
            }
        },
    }
}
NAME = {"type": "string", "description": "Name for the saved selection."}
NAME_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"name": NAME}, "required": ["name"]}
            }
        },
    }
}


def _number(of: str) -> Any:
    return Path(ge=1, le=LARGEST, description=f"Number of the {of}.")


DatasetId = Annotated[int, Path(ge=1, le=LARGEST, description="Id of the dataset.")]


def add_dataset_routes(router: APIRouter, studio: Studio) -> None:
    """Add the routes to the router of the API."""

    @router.get("/datasets", summary="List datasets")
    def datasets(request: Request) -> DatasetList:
        return operations.list_datasets(studio, studio.user(request))

    @router.post(
        "/datasets",
        status_code=202,
        summary="Import a dataset",
        openapi_extra=ZIP_BODY,
        responses=INVALID,
    )
    async def start_import(
        request: Request,
        name: Annotated[str, Query(description="Name of the new dataset.")],
        file: Annotated[str, Query(description="Column with the file names.")] = "",
        label: Annotated[str, Query(description="Column with the labels.")] = "",
        caption: Annotated[str, Query(description="Column with the captions.")] = "",
    ) -> ImportStatus:
        """Queues an import. Send a ZIP file as the body.

        The studio detects the columns by name unless you pass them.
        """
        user, name = await run_in_threadpool(uploads.check_upload, studio, request)
        columns = Columns(file, label, caption) if file or label or caption else None
        target = await uploads.received_archive(studio, request)
        try:
            if not await run_in_threadpool(zipfile.is_zipfile, target):
                raise InputError("The body is not a ZIP file. Put the images into a ZIP file.")
            job = await run_in_threadpool(
                uploads.queue_import, studio.store, target, name, user, columns
            )
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return await run_in_threadpool(operations.get_import, studio, user, job)

    @router.get("/imports/{import_id}", summary="Get an import", responses=NO_ACCESS)
    def imported(import_id: Annotated[int, _number("import")], request: Request) -> ImportStatus:
        """Returns the state and the progress, and the dataset when the import is finished."""
        return operations.get_import(studio, studio.user(request), import_id)

    @router.get(
        "/datasets/{dataset_id}/export",
        summary="Export a dataset",
        response_class=StreamingResponse,
        responses=ZIP | INVALID | NO_ACCESS,
    )
    def export(
        dataset_id: DatasetId,
        request: Request,
        format: Annotated[str, Query(description="Format of the export.")] = "csv",
    ) -> StreamingResponse:
        """Streams the images, labels, and captions as a ZIP file."""
        return export_response(studio, studio.user(request), dataset_id, format)

    @router.post(
        "/selections",
        status_code=202,
        summary="Start a selection",
        openapi_extra=SELECTION_BODY,
        responses=INVALID,
    )
    async def select(request: Request) -> SelectionStatus:
        """Selects images without training. Repeating a request returns the existing selection."""
        user, settings = await run_in_threadpool(studio.user, request), await json_in(request)
        return await run_in_threadpool(selection_operations.start_selection, studio, user, settings)

    @router.get("/selections/{task_id}", summary="Get a selection", responses=NO_ACCESS)
    def selection(
        task_id: Annotated[int, _number("selection")], request: Request
    ) -> SelectionStatus:
        """Returns the state and the progress, and the selected images when it is finished."""
        return selection_operations.get_selection(studio, studio.user(request), task_id)

    @router.post(
        "/selections/{task_id}/label-request",
        status_code=201,
        summary="Request labels for a selection",
        openapi_extra=NAME_BODY,
        responses=INVALID | NO_ACCESS,
    )
    async def request_labels(
        task_id: Annotated[int, _number("selection")], request: Request
    ) -> LabelRequest:
        """Saves the selected images, so that people can label them on the Label page."""
        user, options = await run_in_threadpool(studio.user, request), await json_in(request)
        return await run_in_threadpool(
            selection_operations.request_labels, studio, user, task_id, options
        )

    @router.get("/label-requests/{subset_id}", summary="Get a label request", responses=NO_ACCESS)
    def label_request(
        subset_id: Annotated[int, _number("request")], request: Request
    ) -> LabelRequest:
        """Returns how many of the images have a label."""
        return selection_operations.get_label_request(studio, studio.user(request), subset_id)
