"""Images by sample id: originals and thumbnails, each through the gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response
from PIL import Image, ImageOps

from app.studio import Studio
from vecaf.datasets.images import THUMB_SIDE, flat_rgb, is_small
from vecaf.datasets.pool import image_path, thumb_path
from vecaf.errors import NotFoundError
from vecaf.files import replacing
from vecaf.store import Sample, visible_sample

KEPT = "private, max-age=31536000, immutable"  # the address names the content, see `thumb_url`
CHECKED = "private, no-cache"
MEDIA = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
}
Id = Annotated[int, InPath(ge=1, le=2**63 - 1)]


def thumb_url(sample_id: int, sha256: str) -> str:
    """The address of a thumbnail; its `v` changes with the content, so browsers may keep it."""
    return f"/thumb/{sample_id}?v={sha256[:12]}"


def image_url(sample_id: int, sha256: str) -> str:
    return f"/image/{sample_id}?v={sha256[:12]}"


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    def sample_of(request: Request, sample_id: int) -> Sample:
        user = studio.user(request)
        with studio.store.read() as session:
            return visible_sample(session, user, sample_id)

    @router.get("/thumb/{sample_id}")
    def thumb(sample_id: Id, request: Request) -> Response:
        sample = sample_of(request, sample_id)
        return _answer(request, sample, lambda: _thumbnail(studio, sample))

    @router.get("/image/{sample_id}")
    def image(sample_id: Id, request: Request) -> Response:
        sample = sample_of(request, sample_id)
        return _answer(request, sample, lambda: _stored(studio, sample))

    return router


def _answer(request: Request, sample: Sample, find: Callable[[], Path]) -> Response:
    tag = f'"{sample.sha256[:32]}"'
    kept = request.query_params.get("v") == sample.sha256[:12]
    headers = {"ETag": tag, "Cache-Control": KEPT if kept else CHECKED}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    path = find()
    return FileResponse(path, media_type=MEDIA[path.suffix], headers=headers)


def _stored(studio: Studio, sample: Sample) -> Path:
    path = image_path(studio.settings.images, sample.sha256, sample.extension)
    if not path.is_file():
        raise NotFoundError(f"The file of image {sample.id} is missing from the studio's folder.")
    return path


def _thumbnail(studio: Studio, sample: Sample) -> Path:
    """The import made it; one that is gone is made again. A small image is its own."""
    if is_small(sample.width, sample.height):
        return _stored(studio, sample)
    path = thumb_path(studio.settings.thumbs, sample.sha256)
    if not path.is_file():
        with Image.open(_stored(studio, sample)) as image:
            small = ImageOps.exif_transpose(flat_rgb(image))
        small.thumbnail((THUMB_SIDE, THUMB_SIDE), reducing_gap=2.0)
        with replacing(path, durable=False) as temporary:
            small.save(temporary, "JPEG", quality=85, comment=b"")
    return path
