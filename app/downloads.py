"""A run's export: as one zip, or file by file out of it. The desk makes it, once."""

from __future__ import annotations

import asyncio
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from app.studio import Studio
from vecaf.errors import NotFoundError
from vecaf.export import build_archive, kept_archive
from vecaf.store import Run, visible

LARGEST = 2**63 - 1  # what a database takes for an id
Id = Annotated[int, InPath(ge=1, le=LARGEST)]
AskedId = Annotated[int, Query(ge=1, le=LARGEST)]
PIECE = 1024**2
MEDIA = {
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}


def archive_of(studio: Studio, user: int, run_id: int) -> Path:
    """The run's export, made if it isn't there yet: that takes half a minute at worst.

    Raises NotFoundError, InputError for a run that has not finished.
    """
    archive = kept_archive(studio.store, user, run_id)
    if not archive.exists():
        if studio.desk is None:
            return build_archive(studio.store, user, run_id)
        asyncio.run(studio.desk.ask("export_model", user=user, run_id=run_id))
    return archive


def files_of(studio: Studio, user: int, run_id: int) -> list[dict[str, Any]]:
    """Name and bytes of every file of the run's export."""
    with zipfile.ZipFile(archive_of(studio, user, run_id)) as archive:
        return [{"name": info.filename, "bytes": info.file_size} for info in archive.infolist()]


def zip_response(studio: Studio, user: int, run_id: int) -> FileResponse:
    """The export as a download, named after the run."""
    archive = archive_of(studio, user, run_id)
    with studio.store.read() as session:
        name = visible(session, user, Run, run_id).name
    return FileResponse(
        archive,
        media_type="application/zip",
        filename=f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name).strip('-') or 'run'}-{run_id}.zip",
        headers={"Cache-Control": "private, no-store"},
    )


def file_response(studio: Studio, user: int, run_id: int, name: str) -> StreamingResponse:
    """One file of the export as a download. Raises NotFoundError for a name that it lacks."""
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
            "Cache-Control": "private, no-store",
        },
    )


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

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
