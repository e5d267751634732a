"""An orderly shutdown while pages are open.

Each open page holds a stream that ends only with the page. Uvicorn would wait for these streams,
cancel them, and print a traceback for each. A closed connection ends them cleanly.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn

GRACE_SECONDS = 0.5  # for answers in progress


class Server(uvicorn.Server):
    """Uvicorn that closes all connections shortly after it was told to stop.

    `release` ends what handlers may be waiting for. It is called in a thread.
    """

    def __init__(self, config: uvicorn.Config, release: Callable[[], None]) -> None:
        super().__init__(config)
        self._release = release

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.gather(
            super().shutdown(sockets), self._close_connections(), asyncio.to_thread(self._release)
        )

    async def _close_connections(self) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
