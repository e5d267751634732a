"""Put the studio's scripts and styles into the head of each served page.

Gradio's own `head=` is not enough: Gradio adds it by a script after it has started. Here our
scripts come first, so the navigation bar is there at once, and a page may ask for its data half a
second before Gradio has started.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import static
from .authentication import PERSON
from .page import Page
from .templates import macros

START, END = b"<head>", b"</head>"


class HeadMiddleware:
    """Middleware: completes the head of every page in `pages`."""

    def __init__(self, app: ASGIApp, pages: Sequence[Page]) -> None:
        self.app = app
        self.first = {page.path: first(page, pages).encode() for page in pages}
        self.last = {page.path: last(page).encode() for page in pages}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].rstrip("/") or "/" if scope["type"] == "http" else ""
        if path not in self.first or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        start: Message | None = None  # held back until the page is complete: its length changes
        page = bytearray()
        person = scope.get(PERSON)

        async def send_page(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            else:
                page.extend(message.get("body", b""))
                if message.get("more_body", False):
                    return
                end = self.last[path] + (b"" if person is None else _user(person.name))
                body = bytes(page).replace(START, START + self.first[path], 1)
                body = body.replace(END, end + END, 1)
                headers = MutableHeaders(scope=start)
                headers["content-length"] = str(len(body))
                if person is not None:  # the back button after a logout must not show it
                    headers["cache-control"] = "no-store"
                await send(start)
                await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, send_page)


def first(page: Page, pages: Sequence[Page]) -> str:
    """Return what comes first in the head of `page`.

    An import map must come before all modules, and our modules run before Gradio's.
    """
    early, own = (_module(page, name) for name in ("early.js", "page.js"))
    entries = [name for name in (early, static.MAIN, own) if name]
    scripts = {
        "first_paint": static.address(static.FIRST_PAINT),
        "early": early and static.address(early),
        "main": static.address(static.MAIN),
        "page": own and static.address(own),
    }
    context = {
        "pages": [asdict(one) for one in pages],
        "logo": static.address(static.LOGO),
        "plotly": static.address(static.PLOTLY),
    }
    imports = {static.path(name): static.address(name) for name in static.modules()}
    needed = dict.fromkeys(name for entry in entries for name in static.imported(entry))
    preloaded = [static.address(name) for name in needed]
    head = macros("shell", "head.html")
    return str(head.first(scripts, context, imports, preloaded) + head.fonts(static.font_faces()))


def last(page: Page) -> str:
    """Return what comes last in the head of `page`: our styles override Gradio's."""
    styles = [static.address(name) for name in static.styles(page.folder)]
    return str(macros("shell", "head.html").last(styles, static.address(static.LOGO)))


def _module(page: Page, name: str) -> str | None:
    """Return the page's module of this file name, None if it has none."""
    module = f"{page.folder}/{name}"
    return module if module in static.modules() else None


def _user(name: str) -> bytes:
    """Return what tells the navigation bar who is logged in (context.js)."""
    return str(macros("shell", "head.html").user(name)).encode()


def _is_page(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    return (
        message["status"] == 200
        and headers.get("content-type", "").startswith("text/html")
        and "content-encoding" not in headers
    )
