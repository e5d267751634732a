"""Gradio's own routes, limited to those that the pages and gradio_client use.

This is one of the three places that work around Gradio; the others are `app.shell.head` (scripts
and styles) and the queue's interval in `app.server`.

No page has a component that takes or returns files, so Gradio's upload, file and proxy routes, its
streams and recordings are closed, and its cache stays empty. The open routes identify a tab by a
session hash that the tab chooses. Only the user who used a hash first may use it, so another user
who learns it sees no events of that tab.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .authentication import PERSON

API = "/gradio_api/"
OPEN = ("app_id", "cancel", "heartbeat", "info", "queue", "reset", "startup-events", "theme.css")
"""The first parts of open paths under `API`."""
CLOSED = (
    "/login", "/logout", "/monitoring", "/proxy=", "/file", "/pwa_icon", "/openapi.json",
)  # fmt: skip
"""Closed paths outside of `API`. The pages, `/config` and Gradio's scripts are open."""
KEPT = 10_000  # session hashes; Gradio keeps as many states (`state_session_capacity`)


class GradioRoutes:
    """Wrap the Gradio application and close the routes that the studio does not need."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._users: OrderedDict[str, int] = OrderedDict()  # session hash → user id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        parts = path.removeprefix(API).split("/")
        if path.startswith(CLOSED) or (path.startswith("/gradio_api") and parts[0] not in OPEN):
            await _not_found(scope, receive, send)
            return
        person = scope.get(PERSON)
        if person is None or not path.startswith(API):
            await self.app(scope, receive, send)
            return
        hashes = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [])
        if parts[0] == "heartbeat":
            hashes += parts[1:]
        if scope["method"] == "POST":
            body = await _read(receive)
            hashes += _hash_in(body)
            receive = _again(body, receive)
        if not all(self._claim(name, person.id) for name in hashes):
            await _not_found(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _claim(self, name: str, user: int) -> bool:
        """Return whether the session hash is the user's. An unused one becomes theirs."""
        owner = self._users.setdefault(name, user)
        self._users.move_to_end(name)
        while len(self._users) > KEPT:
            self._users.popitem(last=False)
        return owner == user


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"error": "Not found."}, 404)(scope, receive, send)


def _hash_in(body: bytes) -> list[str]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return []  # Gradio refuses it, too
    name = content.get("session_hash") if isinstance(content, dict) else None
    return [] if name is None else [str(name)]


async def _read(receive: Receive) -> bytes:
    """Return the body, whose length `app.shell.body_limit` limits."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that returns the body again, then later messages."""
    first: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay
