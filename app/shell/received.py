"""An image file in a request: on the disk while it is needed, checked as in an import."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from app.shell.studio import Studio
from app.shell.uploads import PART
from vecaf.datasets.decoding import check_file
from vecaf.errors import InputError
from vecaf.files import saying_if_full


@asynccontextmanager
async def image_in(studio: Studio, request: Request) -> AsyncIterator[Path]:
    """The request's body as a file, which is removed at the end of the block.

    `app.shell.body_limit` limits its length. Raises InputError where there is no body.
    """
    async with _new_file(studio) as path:
        with path.open("wb") as file:
            async for piece in request.stream():
                await run_in_threadpool(file.write, piece)
            if not file.tell():
                raise InputError(
                    "There is no image in the request: send the file's bytes as its body."
                )
        yield path


@asynccontextmanager
async def image_of(studio: Studio, content: bytes) -> AsyncIterator[Path]:
    """The same for bytes that are in memory already."""
    async with _new_file(studio) as path:
        await run_in_threadpool(path.write_bytes, content)
        yield path


async def check_image(studio: Studio, user: int, path: Path) -> None:
    """Replace the file with what an import would store.

    Raises InputError for a file that an import would refuse.
    """
    await studio.decoder.run(user, check_file, path, studio.settings.limits)


@asynccontextmanager
async def _new_file(studio: Studio) -> AsyncIterator[Path]:
    """A path in the uploads folder. Raises UnavailableError where the disk is full."""
    folder = studio.settings.uploads
    path = folder / f"{secrets.token_hex(16)}{PART}"  # swept at the next start
    with saying_if_full():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
