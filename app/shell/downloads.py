"""Downloads of a run's export: one zip, or single files of it. A task makes it once."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from vecaf.engine.exports import export_state, start_export
from vecaf.errors import NotFoundError, NotReadyError
from vecaf.export.bundle import archive_path
from vecaf.store import Run, visible
from vecaf.store.models import QUEUED, RUNNING

from .ids import Id
from .studio import Studio

PIECE = 1024**2
NO_STORE = {"Cache-Control": "private, no-store"}
MEDIA = {
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}


def archive_of(studio: Studio, user: int, run_id: int) -> Path:
    """Return the path of the run's export.

    Raises
    ------
    NotReadyError
        If the export has not been made yet.
    InputError
        If the run has not finished.
    NotFoundError
        If the user may not see the run.
    """
    archive = archive_path(studio.store, user, run_id)
    if archive.exists():
        return archive
    if export_state(studio.store, user, run_id).state in (QUEUED, RUNNING):
        raise NotReadyError(f"The export of run {run_id} is being prepared. Try again in a moment.")
    raise NotReadyError(
        f"The export of run {run_id} is not ready. Prepare it on the Predict page or with "
        f"POST /api/v1/runs/{run_id}/export."
    )


def export_status(studio: Studio, user: int, run_id: int) -> dict[str, Any]:
    """Return `state` (none, queued, running, finished, failed), `stage` and `error`."""
    found = export_state(studio.store, user, run_id)
    stage = found.stage
    if found.state == QUEUED:
        with studio.store.read() as session:
            stage = studio.idle(session) or "Waiting in the queue"
    return {"run": run_id, "state": found.state, "stage": stage, "error": found.error}


def prepare(studio: Studio, user: int, run_id: int) -> dict[str, Any]:
    """Start the export unless it exists or is in progress, and return its status.

    Raises
    ------
    InputError
        If the run has not finished.
    NotFoundError
        If the user may not see the run.
    """
    start_export(studio.store, user, run_id)
    return export_status(studio, user, run_id)


def files_of(studio: Studio, user: int, run_id: int) -> list[dict[str, Any]]:
    """Return the name and the size in bytes of each file of the run's export."""
    with zipfile.ZipFile(archive_of(studio, user, run_id)) as archive:
        return [{"name": info.filename, "bytes": info.file_size} for info in archive.infolist()]


def zip_response(studio: Studio, user: int, run_id: int) -> FileResponse:
    """Return the export as a download that is named after the run."""
    archive = archive_of(studio, user, run_id)
    with studio.store.read() as session:
        name = visible(session, user, Run, run_id).name
    return FileResponse(
        archive,
        media_type="application/zip",
        filename=f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name).strip('-') or 'run'}-{run_id}.zip",
        headers=NO_STORE,
    )


def file_response(studio: Studio, user: int, run_id: int, name: str) -> StreamingResponse:
    """Return one file of the export as a download.

    Raises
    ------
    NotFoundError
        If the export has no file of this name.
    """
    path = archive_of(studio, user, run_id)
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    if name not in sizes:
        raise NotFoundError(f"There is no file {name} in the export of run {run_id}.")

    def pieces() -> Iterator[bytes]:
        with zipfile.ZipFile(path) as archive, archive.open(name) as member:
            while piece := member.read(PIECE):
                yield piece

    return StreamingResponse(
        pieces(),
        media_type=MEDIA.get(Path(name).suffix, "application/octet-stream"),
        headers={
            "Content-Length": str(sizes[name]),
            "Content-Disposition": f'attachment; filename="{name}"',
            **NO_STORE,
        },
    )


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/download/run/{run_id}/export")
    def status(run_id: Id, request: Request) -> JSONResponse:
        return JSONResponse(export_status(studio, studio.user(request), run_id), headers=NO_STORE)

    @router.post("/download/run/{run_id}/export")
    def start(run_id: Id, request: Request) -> JSONResponse:
        return JSONResponse(prepare(studio, studio.user(request), run_id), 202)

    @router.get("/download/run/{run_id}/model")
    def model(run_id: Id, request: Request) -> FileResponse:
        return zip_response(studio, studio.user(request), run_id)

    @router.get("/download/run/{run_id}/files")
    def files(run_id: Id, request: Request) -> JSONResponse:
        return JSONResponse({"files": files_of(studio, studio.user(request), run_id)})

    @router.get("/download/run/{run_id}/files/{name}")
    def file(run_id: Id, name: str, request: Request) -> StreamingResponse:
        return file_response(studio, studio.user(request), run_id, name)

    return router
