"""What the Shift page fetches by itself: corrupted copies of images, and the map of the words."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response
from PIL import Image, ImageOps

from app.studio import Studio
from vecaf.datasets.images import THUMB_SIDE, flat_rgb
from vecaf.datasets.pool import image_path
from vecaf.errors import InputError, NotFoundError
from vecaf.store import Task, visible, visible_sample
from vecaf.tasks.shift_preview import PREVIEW

KEPT = "private, max-age=86400"  # the same address gives the same pixels
Id = Annotated[int, InPath(ge=1, le=2**63 - 1)]


def preview_url(sample_id: int, sha256: str, corruption: str, severity: int) -> str:
    """The address of a corrupted copy; its `v` changes with the content."""
    return f"/shift/preview/{sample_id}?corruption={corruption}&severity={severity}&v={sha256[:12]}"


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/shift/preview/{sample_id}")
    def preview(
        sample_id: Id,
        request: Request,
        corruption: Annotated[str, Query(max_length=40)],
        severity: Annotated[int, Query(ge=1, le=5)],
    ) -> Response:
        user = studio.user(request)
        with studio.store.read() as session:
            sample = visible_sample(session, user, sample_id)
        path = image_path(studio.settings.images, sample.sha256, sample.extension)
        return Response(
            _corrupted(path, corruption, severity),
            media_type="image/webp",
            headers={"Cache-Control": KEPT},
        )

    @router.get("/shift/map/{task_id}")
    def drawn(task_id: Id, request: Request) -> FileResponse:
        user = studio.user(request)
        with studio.store.read() as session:
            task = visible(session, user, Task, task_id)
        path = studio.settings.tasks / str(task.id) / PREVIEW
        if task.kind != "shift_preview" or not path.is_file():
            raise NotFoundError(f"Task {task_id} has no map of words.")
        return FileResponse(
            path, media_type="application/json", headers={"Cache-Control": "private, no-cache"}
        )

    return router


def _corrupted(path: Path, corruption: str, severity: int) -> bytes:
    """A copy for the page, as WebP: corrupted as the evaluation does it, then made small."""
    from vecaf.evaluation.corruptions import corrupt

    try:
        with Image.open(path) as image:
            image.draft("RGB", (512, 512))  # a JPEG is decoded no larger than is needed
            upright = ImageOps.exif_transpose(flat_rgb(image))
    except FileNotFoundError:
        raise NotFoundError("The file of this image is missing from the studio's folder.") from None
    except OSError as error:
        raise InputError(f"This image can't be read ({error}).") from error
    copy = corrupt(upright, corruption, severity)
    copy.thumbnail((THUMB_SIDE, THUMB_SIDE))
    buffer = io.BytesIO()
    copy.save(buffer, "WEBP", quality=90)
    return buffer.getvalue()
