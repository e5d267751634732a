"""Idle connections are closed to make room for others. Every response has the security headers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app.shell import connections
from app.shell.connections import Protocol
from app.shell.security import HEADERS
from tests.engine.harness import wait_for

CAPACITY = 8
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
Connect = Callable[[], socket.socket]


class Held:
    """Requests to /held: count them, and decide when they are answered."""

    def __init__(self) -> None:
        self.come = 0
        self.free = threading.Event()

    async def answer(self, _: Request) -> PlainTextResponse:
        self.come += 1
        await asyncio.to_thread(self.free.wait)
        return PlainTextResponse("at last")


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, held: Held) -> Iterator[Connect]:
    """Open connections to a server that accepts only a few."""
    monkeypatch.setattr(connections, "capacity", lambda: CAPACITY)

    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await request.body() or b"hello")

    app = Starlette(
        routes=[Route("/", hello, methods=["GET", "POST"]), Route("/held", held.answer)]
    )
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, http=Protocol, ws="none", log_config=None))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    opened: list[socket.socket] = []

    def open_one() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", port), timeout=30))
        return opened[-1]

    wait_for(lambda: server.started, 30, "the server has not started")
    yield open_one
    held.free.set()
    for one in opened:
        one.close()
    server.should_exit = True
    thread.join(30)
    listener.close()


def answer(connection: socket.socket) -> bytes:
    """Read until the server closes the connection or has sent a complete short response."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(4096):
            got += piece
            head, found, body = got.partition(b"\r\n\r\n")
            if found and b"content-length: %d" % len(body) in head.lower():
                return got
    return got


def test_idle_connections_make_room_for_others(connect: Connect) -> None:
    silent = [connect() for _ in range(3 * CAPACITY)]
    for one in silent[::2]:
        with contextlib.suppress(OSError):
            one.sendall(b"GET / HTTP/1.1\r\nHost: 127.")  # half a head
    for _ in range(CAPACITY):
        one = connect()
        one.sendall(REQUEST)
        assert answer(one).endswith(b"hello")


def test_where_all_connections_are_in_use_another_is_refused(connect: Connect, held: Held) -> None:
    busy = [connect() for _ in range(CAPACITY)]
    for one in busy:
        one.sendall(REQUEST.replace(b"/ ", b"/held ", 1))
    wait_for(lambda: held.come == CAPACITY, 30, "not all requests have come")
    assert answer(connect()).startswith(b"HTTP/1.1 503 ")
    held.free.set()
    for one in busy:
        assert answer(one).endswith(b"at last")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhal",
    ],
)
def test_a_client_that_stops_sending_is_disconnected(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.3)
    one = connect()
    one.sendall(sent)
    assert answer(one) == b""
    whole = connect()
    whole.sendall(sent.replace(b"hal", b"whole") if b"hal" in sent else REQUEST)
    assert b"200 OK" in answer(whole)


@pytest.mark.parametrize(
    "sent",
    [
        b"\0\1\2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_an_invalid_request_gets_the_security_headers(connect: Connect, sent: bytes) -> None:
    one = connect()
    one.sendall(sent)
    head = answer(one).partition(b"\r\n\r\n")[0].decode()
    assert head.startswith("HTTP/1.1 400 ")
    found = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    assert {name: found.get(name.lower()) for name in HEADERS} == HEADERS
