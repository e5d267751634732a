"""Uploads: a zip is streamed to disk in pieces, then an import is queued."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import re
import secrets
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from vecaf.datasets.columns import Columns
from vecaf.datasets.decoding import preview_upload
from vecaf.datasets.deletion import finish_deletions
from vecaf.datasets.formats import ImportOptions
from vecaf.datasets.names import dataset_name, free_name
from vecaf.datasets.upload_options import options_file, save_upload, uploader
from vecaf.errors import (
    InputError,
    LimitExceededError,
    NotFoundError,
    TooManyRequestsError,
    UnavailableError,
)
from vecaf.files import ABANDONED_SECONDS, DISK_FULL, age
from vecaf.store import ENDED, Import, Store
from vecaf.store.imports import check_name_free, taken_names
from vecaf.store.prediction_queries import uploads_in_use

from .studio import Studio

OURS = re.compile(r"[0-9a-f]{32}\.(zip|part|json)")
Token = Annotated[str, InPath(pattern="^[0-9a-f]{32}$")]
PART = ".part"  # an upload in progress, locked; the next start removes abandoned ones
LOCKED_SECONDS = 10.0  # a new part has its lock by then
SPARE_BYTES = 256 * 1024**2  # kept free for the database and other writes

log = logging.getLogger(__name__)


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()
    limits = studio.settings.limits

    @router.get("/upload")
    def check(request: Request) -> JSONResponse:
        """Check whether an upload of this name and size would be accepted."""
        check_upload(studio, request)
        return JSONResponse({"ok": True})

    @router.get("/upload/name")
    def propose(request: Request, name: str) -> JSONResponse:
        """Return a free name for a new dataset: the given one, or a similar one."""
        user = studio.user(request)
        with studio.store.read() as session:
            taken = taken_names(session, user)
        return JSONResponse({"name": free_name(dataset_name(name), taken)})

    @router.post("/upload")
    async def upload(request: Request) -> JSONResponse:
        user, name = await run_in_threadpool(check_upload, studio, request)
        try:
            target = await received_archive(studio, request)
        except ClientDisconnect:
            return JSONResponse({"error": "The upload was canceled."}, 499)
        try:
            if "review" in request.query_params:
                preview = await review(user, target)
                await run_in_threadpool(save_upload, target, user)
                return JSONResponse({"upload": target.stem, "preview": preview})
            import_id = await run_in_threadpool(queue_import, studio.store, target, name, user)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return JSONResponse({"import": import_id})

    async def review(user: int, target: Path) -> Any:
        """Return the preview of an archive, or None if its columns take too long to read.

        Raises InputError for a file that can't be imported.
        """
        scratch = Path(await run_in_threadpool(mkdtemp, prefix="scratch-", dir=target.parent))
        try:
            preview = await studio.decoder.run(user, preview_upload, target, limits, scratch)
        except (LimitExceededError, UnavailableError, TooManyRequestsError) as error:
            log.warning("An upload could not be reviewed: %s", error)
            return None
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return json.loads(preview)

    def uploaded(token: str, user: int) -> Path:
        """Return the archive that the user uploaded to review it. Raises NotFoundError."""
        target = studio.settings.uploads / f"{token}.zip"
        if uploader(target) != user or not target.is_file():
            raise NotFoundError("The upload no longer exists. Choose the file again.")
        return target

    @router.post("/upload/{token}/import")
    def start(
        token: Token, request: Request, name: str, file: str = "", label: str = "",
        caption: str = "",
    ) -> JSONResponse:  # fmt: skip
        """Queue the import of a reviewed upload with the chosen columns."""
        user = studio.user(request)
        target = uploaded(token, user)
        columns = Columns(file, label, caption)
        import_id = queue_import(studio.store, target, name, user, columns)
        return JSONResponse({"import": import_id})

    @router.delete("/upload/{token}")
    def discard(token: Token, request: Request) -> JSONResponse:
        """Delete an upload that is not imported."""
        target = uploaded(token, studio.user(request))
        target.unlink()
        options_file(target).unlink()
        return JSONResponse({"ok": True})

    return router


def check_upload(studio: Studio, request: Request) -> tuple[int, str]:
    """Return the user and the dataset's name.

    Raises
    ------
    InputError
        If the name or the size can't be accepted.
    UnavailableError
        If the disk has too little space.
    """
    user = studio.user(request)
    name = dataset_name(request.query_params.get("name", ""))
    size = request.query_params.get("bytes") or request.headers.get("content-length") or "0"
    if not size.isdecimal():
        raise InputError("The upload has no length. Send a Content-Length header.")
    with studio.store.read() as session:
        check_name_free(session, user, name)
    check_size(int(size), studio.settings.limits.max_archive_bytes)
    folder = studio.settings.uploads
    folder.mkdir(parents=True, exist_ok=True)
    check_free_space(folder, int(size))
    return user, name


def queue_import(
    store: Store, target: Path, name: str, user: int, columns: Columns | None = None
) -> int:
    """Queue the import of an uploaded archive, and return its id."""
    from vecaf.engine.queue import submit_import

    if columns is not None:
        save_upload(target, user, ImportOptions(columns=columns))
    return submit_import(store, str(target), name, user)


def check_size(size: int, limit: int) -> None:
    if size > limit:
        raise InputError(
            f"The file is {size / 1e9:.1f} GB; the limit is {limit / 1e9:.1f} GB. Split it, or "
            "raise VECAF_MAX_ARCHIVE_BYTES."
        )


def check_free_space(folder: Path, size: int) -> None:
    """Raise UnavailableError if the disk has too little space for an upload."""
    if shutil.disk_usage(folder).free < size + SPARE_BYTES:
        raise UnavailableError(DISK_FULL)


async def received_archive(studio: Studio, request: Request) -> Path:
    """Store the body as a new archive in the uploads folder. A job that needs it deletes it.

    Raises
    ------
    InputError
        If the body is empty, incomplete or too long.
    UnavailableError
        If the disk is full.
    ClientDisconnect
        If the client disconnects first.
    """
    folder = studio.settings.uploads
    await run_in_threadpool(lambda: folder.mkdir(parents=True, exist_ok=True))
    target = folder / f"{secrets.token_hex(16)}.zip"
    part = target.with_suffix(PART)
    await _receive(request, part, studio.settings.limits.max_archive_bytes)
    await run_in_threadpool(part.replace, target)
    return target


async def _receive(request: Request, part: Path, limit: int) -> None:
    """Write the body to `part` piece by piece, so that memory use does not depend on its size.

    The file is removed if the body is incomplete, empty or too long.
    """
    received = 0
    try:
        with part.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # a sweep leaves locked files alone
            async for piece in request.stream():
                received += len(piece)
                check_size(received, limit)
                await run_in_threadpool(file.write, piece)
        expected = request.headers.get("content-length")
        if expected is not None and received != int(expected):
            raise InputError(f"The upload ended after {received} of {expected} bytes. Try again.")
        if not received:
            raise InputError("The uploaded file is empty.")
    except OSError as error:
        part.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UnavailableError(DISK_FULL) from error
        raise
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def sweep(studio: Studio) -> None:
    """Remove the remains of interrupted uploads and deletions.

    These are unlocked parts, old archives that no import needs, and files of deleted datasets.
    """
    finish_deletions(studio.store)
    folder = studio.settings.uploads
    if not folder.is_dir():
        return
    found = [path for path in folder.iterdir() if OURS.fullmatch(path.name) and _abandoned(path)]
    with studio.store.read() as session:  # after listing: an archive exists before its row
        wanted = set(session.scalars(sa.select(Import.source).where(Import.state.not_in(ENDED))))
        wanted |= {str(folder / name) for name in uploads_in_use(session)}
    for path in found:
        if str(path.with_suffix(".zip")) not in wanted:
            path.unlink(missing_ok=True)


def _abandoned(path: Path) -> bool:
    if path.suffix != PART:
        return age(path) > ABANDONED_SECONDS
    if age(path) < LOCKED_SECONDS:
        return False
    try:
        with path.open("r+b") as file:  # NFS only locks files that are open for writing
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False  # it just finished, or another studio on this data folder receives it
    return True
