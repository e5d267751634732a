"""Wait for a slow answer while the client is connected."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

Result = TypeVar("Result")


async def while_connected(request: Request, answer: Coroutine[Any, Any, Result]) -> Result:
    """Await `answer`, and cancel it when the client of `request` disconnects.

    The body of the request must have been read.

    Raises
    ------
    ClientDisconnect
        If the client disconnects first.
    """
    answering = asyncio.create_task(answer)
    leaving = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise ClientDisconnect
        return await answering
    finally:
        leaving.cancel()
        answering.cancel()
        await asyncio.wait({answering})  # it may use files that the caller removes next


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
