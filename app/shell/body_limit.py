"""Limits on the length of request bodies: one table, one middleware."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIB = 1024**2
DEFAULT = MIB  # JSON and forms
LOGIN = 16 * 1024  # a name, a password and an address
IMAGE = 32 * MIB  # three times a large photo
EVENT = 48 * MIB  # a Gradio event: the largest is an image in base64
SELECTION = 16 * MIB  # ids of about two million images

Rules = Sequence[tuple[re.Pattern[str], int | None]]


RULES: Rules = [
    (re.compile(pattern), size)
    for pattern, size in (
        (r"/login", LOGIN),
        # Streamed to the disk; `VECAF_MAX_ARCHIVE_BYTES` limits it.
        (r"/upload|/api/v1/datasets|/predict/\d+/batch|/api/v1/runs/\d+/predictions", None),
        (r"/predict/\d+|/api/v1/runs/\d+/predict|/explore/\d+/search-image", IMAGE),
        (r"/explore/\d+/(subset|label|caption|excluded)", SELECTION),
        (r"/label/\d+/label-studio", SELECTION),  # the JSON of a project
        (r"/gradio_api/queue/join", EVENT),
    )
]
"""The addresses that accept more or less than `DEFAULT` bytes, and how many."""


class TooLongError(Exception):
    """The body exceeds the limit of its address."""


class BodyLimitMiddleware:
    """Refuse a body that is too long before it is in memory (413), and partial files (400)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = _limit(scope["path"])
        declared = headers.get("content-length", "")
        if "content-range" in headers:
            sentence = "Partial uploads are not supported. Send the file without Content-Range."
            await JSONResponse({"error": sentence}, 400)(scope, receive, send)
            return
        if limit is None:
            await self.app(scope, receive, send)
            return
        if declared.isdecimal() and int(declared) > limit:
            await _refuse(scope, receive, send, limit)
            return
        received, too_long, started = 0, False, False

        async def receive_counted() -> Message:
            nonlocal received, too_long
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                too_long = True
                raise TooLongError
            return message

        async def send_unless_too_long(message: Message) -> None:
            nonlocal started
            if not too_long or started:
                started = True
                await send(message)

        try:
            await self.app(scope, receive_counted, send_unless_too_long)
        except TooLongError:
            if started:
                raise
        if too_long and not started:
            await _refuse(scope, receive, send, limit)


def _limit(path: str) -> int | None:
    return next((size for rule, size in RULES if rule.fullmatch(path)), DEFAULT)


async def _refuse(scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    size = f"{limit / MIB:.0f} MB" if limit >= MIB else f"{limit:,} bytes"
    sentence = f"The request is too long: this address accepts at most {size}."
    await JSONResponse({"error": sentence}, 413)(scope, receive, send)
