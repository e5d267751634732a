"""An image in a request: stored while it is needed, and checked as in an import."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from vecaf.datasets.decoding import check_file
from vecaf.errors import InputError
from vecaf.files import convert_disk_full_errors

from .studio import Studio
from .uploads import PART


@asynccontextmanager
async def image_in(studio: Studio, request: Request) -> AsyncIterator[Path]:
    """Store the request's body in a file that is removed at the end of the block.

    `app.shell.body_limit` limits its length.

    Raises
    ------
    InputError
        If the body is empty.
    """
    async with _new_file(studio) as path:
        with path.open("wb") as file:
            async for piece in request.stream():
                await run_in_threadpool(file.write, piece)
            if not file.tell():
                raise InputError(
                    "The request has no image. Send the bytes of an image file as its body."
                )
        yield path


@asynccontextmanager
async def image_of(studio: Studio, content: bytes) -> AsyncIterator[Path]:
    """Store `content` in a file that is removed at the end of the block."""
    async with _new_file(studio) as path:
        await run_in_threadpool(path.write_bytes, content)
        yield path


async def check_image(studio: Studio, user: int, path: Path) -> None:
    """Replace the file with what an import would store.

    Raises
    ------
    InputError
        If an import would refuse the file.
    """
    await studio.decoder.run(user, check_file, path, studio.settings.limits)


@asynccontextmanager
async def _new_file(studio: Studio) -> AsyncIterator[Path]:
    """Return a path in the uploads folder. Raise UnavailableError if the disk is full."""
    folder = studio.settings.uploads
    path = folder / f"{secrets.token_hex(16)}{PART}"  # the next start removes leftovers
    with convert_disk_full_errors():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
