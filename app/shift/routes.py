"""Routes of the Shift page: corrupted copies of images and the map of a preview."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.concurrency import run_in_threadpool

from vecaf.errors import NotFoundError
from vecaf.evaluation.corruptions.preview import corrupted_copy
from vecaf.store import Task, visible, visible_sample
from vecaf.tasks.shift_preview import PREVIEW

from ..shell.ids import Id
from ..shell.media import stored_file
from ..shell.studio import Studio
from ..shell.waiting import while_connected

CACHE = "private, max-age=86400"  # the same address gives the same pixels


def preview_url(sample_id: int, sha256: str, corruption: str, severity: int) -> str:
    """Return the address of a corrupted copy; `v` changes with the content."""
    return f"/shift/preview/{sample_id}?corruption={corruption}&severity={severity}&v={sha256[:12]}"


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    def authorized(request: Request, sample_id: int) -> tuple[int, Path]:
        """Return the user and the file of the image. Raises NotFoundError."""
        user = studio.user(request)
        with studio.store.read() as session:
            sample = visible_sample(session, user, sample_id)
        return user, stored_file(studio, sample)

    @router.get("/shift/preview/{sample_id}")
    async def preview(
        sample_id: Id,
        request: Request,
        corruption: Annotated[str, Query(max_length=40)],
        severity: Annotated[int, Query(ge=1, le=5)],
    ) -> Response:
        user, path = await run_in_threadpool(authorized, request, sample_id)
        copy = studio.decoder.run(
            user, corrupted_copy, path, corruption, severity, studio.settings.limits
        )
        return Response(
            await while_connected(request, copy),
            media_type="image/webp",
            headers={"Cache-Control": CACHE},
        )

    @router.get("/shift/map/{task_id}")
    def preview_map(task_id: Id, request: Request) -> FileResponse:
        user = studio.user(request)
        with studio.store.read() as session:
            task = visible(session, user, Task, task_id)
        path = studio.settings.tasks / str(task.id) / PREVIEW
        if task.kind != "shift_preview" or not path.is_file():
            raise NotFoundError(f"Task {task_id} has no shift preview.")
        return FileResponse(
            path, media_type="application/json", headers={"Cache-Control": "private, no-cache"}
        )

    return router
