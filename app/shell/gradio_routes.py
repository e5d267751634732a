"""Gradio's own routes, narrowed to those that the pages and gradio_client use.

No page has a component that takes or gives files, so Gradio's upload, its file and proxy routes,
its streams and recordings are not needed, and what is not needed is not there: its cache stays
empty. What is there speaks to one tab by a hash that the tab has chosen; whoever used a hash first
is the only one who may use it, so a hash that got about shows nobody another's events.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.shell.authentication import PERSON

API = "/gradio_api/"
USED = ("app_id", "cancel", "heartbeat", "info", "queue", "reset", "startup-events", "theme.css")
"""First parts of the paths under `API` that are passed on."""
CLOSED = (
    "/login", "/logout", "/monitoring", "/proxy=", "/file", "/pwa_icon", "/openapi.json",
)  # fmt: skip
"""Paths outside of it that are not; the pages, `/config` and the scripts are."""
KEPT = 10_000  # hashes: as many as Gradio keeps states of (its `state_session_capacity`)


class Narrow:
    """Wraps the Gradio application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._users: OrderedDict[str, int] = OrderedDict()  # hash → whose tab it names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        parts = path.removeprefix(API).split("/")
        if path.startswith(CLOSED) or (path.startswith("/gradio_api") and parts[0] not in USED):
            await _nothing(scope, receive, send)
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
            await _nothing(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _claim(self, name: str, user: int) -> bool:
        """Whether the tab of this hash is the user's; it is if nobody has used it."""
        owner = self._users.setdefault(name, user)
        self._users.move_to_end(name)
        while len(self._users) > KEPT:
            self._users.popitem(last=False)
        return owner == user


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"error": "There is no such thing here."}, 404)(scope, receive, send)


def _hash_in(body: bytes) -> list[str]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return []  # Gradio, which reads it the same way, will refuse it
    name = content.get("session_hash") if isinstance(content, dict) else None
    return [] if name is None else [str(name)]


async def _read(receive: Receive) -> bytes:
    """The whole body, which is no longer than `app.shell.body_limit` lets through."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more, then what comes after it."""
    first: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay
