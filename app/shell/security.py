"""What every response carries, and which requests are turned away before any handler sees them."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio needs inline scripts and styles. It also compiles the `js=` of events and the templates and
# `js_on_load` of gr.HTML in the page: without 'unsafe-eval' no page starts (tried with 6.31). What
# matters here: nothing is loaded from, or sent to, another host, no matter what a page contains.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Nothing to other sites; but a page that tells this one nothing either sends its forms from
    # "null" where http is plain, and nobody on another machine could log in.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # no other site's <img> or <script> reads it
}
ALLOWING = "access-control-"  # Gradio allows any origin; the studio allows none
READING = ("GET", "HEAD", "OPTIONS")
LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")

log = logging.getLogger(__name__)


class Guard:
    """Middleware: security headers on every response; only requests from our own pages and from
    programs; and without accounts (`local_only`) only requests to a local name.

    Other sites may link here. They may not change anything, and may not embed anything: even the
    size of an image reveals something.

    A page elsewhere can point its own host name at 127.0.0.1 (DNS rebinding) and so read what the
    browser takes for its own origin; the Host header gives it away. Where people log in this gives
    it nothing: a login's cookie is sent to the name that it was made under. It can also send a form
    to the true address without reading the answer; where a request comes from gives that away.
    """

    def __init__(self, app: ASGIApp, *, local_only: bool = True) -> None:
        self.app = app
        self.local_only = local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # nothing here speaks it
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                answered = MutableHeaders(scope=message)
                for name in [key for key in answered if key.startswith(ALLOWING)]:
                    del answered[name]
                for name, value in HEADERS.items():
                    answered[name] = value
            await send(message)

        headers = Headers(scope=scope)
        answer: ASGIApp = self.app
        if self.local_only and _host(headers) not in LOCAL_NAMES:
            answer = PlainTextResponse("The studio answers on this machine only.", 421)
        elif not (same_origin(headers) or _navigation(scope["method"], headers)):
            answer = PlainTextResponse("This request did not come from a page of the studio.", 403)
        try:
            await answer(scope, receive, send_guarded)
        except Exception:
            if started:
                raise
            log.exception("%s %s could not be answered", scope["method"], scope["path"])
            words = "Something went wrong that should not have. The studio's log has the details."
            await JSONResponse({"error": words}, 500)(scope, receive, send_guarded)


def _host(headers: Headers) -> str | None:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:  # such as an unclosed bracket
        return None


def same_origin(headers: Headers) -> bool:
    """Whether a request comes from a page of ours, or from no page at all.

    Browsers say where a request comes from; another site's page can't leave that out.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host")
    except ValueError:  # such as an unclosed bracket
        return False


def _navigation(method: str, headers: Headers) -> bool:
    """Whether somebody followed a link, which changes nothing. An <img> or frame is not a link."""
    return (
        method in READING
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
    )
