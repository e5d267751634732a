"""Our head in every page, as it is served.

Gradio's own `head=` is added by its script, after that has been loaded, and its scripts then run in
any order. Here they are part of the page: they run in order, the bar is there at once, and a page
may ask for its data half a second before Gradio has started.
"""

from __future__ import annotations

from html import escape

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.shell.authentication import LOGIN, PERSON

END = b"</head>"


class Head:
    """Middleware: puts `html` at the end of the head of every HTML response."""

    def __init__(self, app: ASGIApp, html: str) -> None:
        self.app = app
        self.html = html.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] == LOGIN:
            await self.app(scope, receive, send)
            return
        start: Message | None = None  # held back until the page is whole: its length changes
        page = bytearray()

        person = scope.get(PERSON)
        html = self.html if person is None else self.html + _who(person.name)

        async def send_page(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            else:
                page.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    body = bytes(page).replace(END, html + END, 1)
                    headers = MutableHeaders(scope=start)
                    headers["content-length"] = str(len(body))
                    if person is not None:  # going back after a logout must not show it
                        headers["cache-control"] = "no-store"
                    await send(start)
                    await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, send_page)


def _who(name: str) -> bytes:
    """The bar says who is logged in (studio.js)."""
    return f'<meta name="studio-user" content="{escape(name)}">'.encode()


def _is_page(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    return (
        message["status"] == 200
        and headers.get("content-type", "").startswith("text/html")
        and "content-encoding" not in headers
    )
