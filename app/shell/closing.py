"""An orderly end with pages still open.

Every open page holds a stream that ends only with the page. Uvicorn would wait for them in vain,
cancel them, and print a traceback for each; a closed connection is something they understand.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn

GRACE_SECONDS = 0.5  # for answers on their way


class Server(uvicorn.Server):
    """Uvicorn, which hangs up on what is still open a moment after it was told to stop.

    `release` ends whatever handlers may still be waiting for; it is called in a thread.
    """

    def __init__(self, config: uvicorn.Config, release: Callable[[], None]) -> None:
        super().__init__(config)
        self._release = release

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.gather(
            super().shutdown(sockets), self._hang_up(), asyncio.to_thread(self._release)
        )

    async def _hang_up(self) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
