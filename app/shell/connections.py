"""Limits on connections, which Uvicorn lacks.

A connection must send a complete request head within `HEAD_SECONDS`, and parts of a body with
pauses of at most `BODY_SECONDS`. If `capacity()` connections are open, a new one replaces the
oldest idle one; if none is idle, the new one is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .security import HEADERS

HEAD_SECONDS = 20.0
BODY_SECONDS = 60.0
BACKLOG = 64  # connections that the event loop accepts at once
MOST_CONNECTIONS = 1000
MOST_FILES = 8192


def raise_file_limit() -> None:
    """Raise the number of files that this process may open, to at most `MOST_FILES`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # the system's own limit may be lower
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def capacity() -> int:
    """Return how many connections may be open: half of the files, as requests open files, too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft // 2)


class Protocol(H11Protocol):
    """One connection to a client."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.opened = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._waits_for_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > capacity():
            idle = [one for one in self.connections if isinstance(one, Protocol) and one.idle()]
            if len(idle) == 1:  # only this one
                self.answer(503, b"Too many connections are open. Try again in a moment.")
                return
            oldest = min(idle, key=lambda one: one.opened)
            oldest.transport.abort()
            self.connections.discard(oldest)  # the event loop does this later
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_watching()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def idle(self) -> bool:
        """Return whether no request is being received or answered."""
        answering = self.cycle is not None and not self.cycle.response_complete
        return not answering and self.conn.their_state is h11.IDLE

    def send_400_response(self, msg: str) -> None:
        self.answer(400, msg.encode("ascii"))

    def answer(self, status: int, sentence: bytes) -> None:
        """Answer a connection that sent no valid request, and close it."""
        headers = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(sentence))),
            ("connection", "close"),
            *((name.lower(), value) for name, value in HEADERS.items()),
        ]
        for event in (
            h11.Response(status_code=status, headers=headers),
            h11.Data(data=sentence),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch(self) -> None:
        """Close the connection if the client does not send its next part in time."""
        if self.transport.is_closing():
            self._stop_watching()
        elif self.conn.their_state is h11.SEND_BODY:
            self._waits_for_head = False
            self._hang_up_in(BODY_SECONDS)
        elif not self.idle():
            self._stop_watching()
        elif not self._waits_for_head:  # single bytes do not extend it
            self._waits_for_head = True
            self._hang_up_in(HEAD_SECONDS)

    def _stop_watching(self) -> None:
        self._waits_for_head = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hang_up_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._hang_up)

    def _hang_up(self) -> None:
        if self.flow.read_paused and not self._waits_for_head:
            self._hang_up_in(BODY_SECONDS)  # the handler has not read further
        else:
            self.transport.abort()
