"""Images by sample id: originals and thumbnails, for users who may see the sample."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from starlette.concurrency import run_in_threadpool

from vecaf.datasets.decoding import thumbnail
from vecaf.datasets.images import is_small
from vecaf.datasets.pool import image_path, thumb_path
from vecaf.errors import NotFoundError
from vecaf.files import write_bytes
from vecaf.store import Sample, visible_sample

from .ids import Id
from .studio import Studio
from .waiting import while_connected

KEPT = "private, max-age=31536000, immutable"  # the address contains the hash of the content
CHECKED = "private, no-cache"
READ_AT_ONCE = 1 << 20  # bytes; only a small animation has more
MEDIA = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
}


def thumb_url(sample_id: int, sha256: str) -> str:
    """Return the address of a thumbnail. `v` changes with the content, so browsers cache it."""
    return f"/thumb/{sample_id}?v={sha256[:12]}"


def image_url(sample_id: int, sha256: str) -> str:
    return f"/image/{sample_id}?v={sha256[:12]}"


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    def sample_of(request: Request, sample_id: int) -> tuple[int, Sample]:
        user = studio.user(request)
        with studio.store.read() as session:
            return user, visible_sample(session, user, sample_id)

    def existing_thumb(request: Request, sample_id: int) -> tuple[int, Sample, Response | None]:
        """Return the user, the sample, and the answer, or None if the thumbnail is missing."""
        user, sample = sample_of(request, sample_id)
        answer = _unchanged(request, sample)
        if answer is None:
            path = _thumb_path(studio, sample)
            answer = _thumb_file(request, sample, path) if path.is_file() else None
        return user, sample, answer

    @router.get("/thumb/{sample_id}")
    async def thumb(sample_id: Id, request: Request) -> Response:
        user, sample, answer = await run_in_threadpool(existing_thumb, request, sample_id)
        if answer is None:
            making = _make_thumb(studio, user, sample)
            answer = _file(request, sample, await while_connected(request, making))
        return answer

    @router.get("/image/{sample_id}")
    def image(sample_id: Id, request: Request) -> Response:
        _, sample = sample_of(request, sample_id)
        return _unchanged(request, sample) or _file(request, sample, stored_file(studio, sample))

    return router


def stored_file(studio: Studio, sample: Sample) -> Path:
    """Return the file of an image. Raise NotFoundError if it is missing."""
    path = image_path(studio.settings.images, sample.sha256, sample.extension)
    if not path.is_file():
        raise NotFoundError(
            f"The file of image {sample.id} is missing from the data folder. Import the image "
            "again as a new dataset, or restore a backup."
        )
    return path


def _headers(request: Request, sample: Sample) -> dict[str, str]:
    kept = request.query_params.get("v") == sample.sha256[:12]
    return {"ETag": f'"{sample.sha256[:32]}"', "Cache-Control": KEPT if kept else CHECKED}


def _unchanged(request: Request, sample: Sample) -> Response | None:
    """Return status 304 for a browser that has the current version, else None."""
    headers = _headers(request, sample)
    known = request.headers.get("if-none-match") == headers["ETag"]
    return Response(status_code=304, headers=headers) if known else None


def _file(request: Request, sample: Sample, path: Path) -> Response:
    return FileResponse(path, media_type=MEDIA[path.suffix], headers=_headers(request, sample))


def _thumb_file(request: Request, sample: Sample, path: Path) -> Response:
    """Return a file that is read here. This is faster: FileResponse uses more threads."""
    if path.stat().st_size > READ_AT_ONCE:
        return _file(request, sample, path)
    return Response(
        path.read_bytes(), media_type=MEDIA[path.suffix], headers=_headers(request, sample)
    )


def _thumb_path(studio: Studio, sample: Sample) -> Path:
    """Return the path of the thumbnail. A small image is its own thumbnail."""
    if is_small(sample.width, sample.height):
        return stored_file(studio, sample)
    return thumb_path(studio.settings.thumbs, sample.sha256)


async def _make_thumb(studio: Studio, user: int, sample: Sample) -> Path:
    """Make a missing thumbnail."""
    path, stored = thumb_path(studio.settings.thumbs, sample.sha256), stored_file(studio, sample)
    content = await studio.decoder.run(user, thumbnail, stored, studio.settings.limits)
    await run_in_threadpool(write_bytes, path, content, durable=False)
    return path
