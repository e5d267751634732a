"""Routes of the Data page: export a dataset, describe its deletion, show refused images."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from vecaf.datasets.deletion import preview_deletion
from vecaf.datasets.pool import thumb_path
from vecaf.errors import InputError, NotFoundError
from vecaf.store import Dataset, visible
from vecaf.store.datasets import active_jobs

from ..shell.ids import Id
from ..shell.media import KEPT
from ..shell.studio import Studio
from .export import export_response

Key = Annotated[str, InPath(pattern="^[0-9a-f]{64}$")]


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/dataset/{dataset_id}/export.zip")
    def export(dataset_id: Id, request: Request, format: str = "csv") -> StreamingResponse:
        return export_response(studio, studio.user(request), dataset_id, format)

    @router.get("/dataset/{dataset_id}/deletion")
    def deletion(dataset_id: Id, request: Request) -> JSONResponse:
        """Return the question to confirm before the dataset is deleted."""
        user = studio.user(request)
        with studio.store.read() as session:
            jobs = active_jobs(session, user, dataset_id)
        summary = preview_deletion(studio.store, user, dataset_id)
        busy = [job for job in jobs if not job.background]
        if busy:
            raise InputError(
                f"'{summary.name}' is in use by {busy[0].kind} {busy[0].id} ({busy[0].name}). "
                f"Cancel the {busy[0].kind} or wait for it to finish before deleting."
            )
        text = f"This deletes {summary.sentence()} You can't undo this."
        return JSONResponse({"title": f"Delete '{summary.name}'?", "text": text})

    @router.get("/dataset/{dataset_id}/refused/{key}.jpg")
    def refused(dataset_id: Id, key: Key, request: Request) -> FileResponse:
        """Return a thumbnail of a file that the import refused, drawn by our own decoder."""
        with studio.store.read() as session:
            report = visible(session, studio.user(request), Dataset, dataset_id).report
        known = any(one.get("thumb") == key for one in report.get("refused", ()))
        path = thumb_path(studio.settings.thumbs, key)
        if not known or not path.is_file():
            raise NotFoundError("Thumbnail not found.")
        return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": KEPT})

    return router
