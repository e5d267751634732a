"""Security headers of every response, and requests that are refused before any handler."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio needs inline scripts and styles. In the page it also compiles the `js=` of events and the
# templates and `js_on_load` of gr.HTML: without 'unsafe-eval' no page starts (tried with 6.31). The
# policy still guarantees that no page loads anything from another host, or sends anything there.
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
    # Other sites learn nothing. "no-referrer" would send forms with the origin "null" over plain
    # http, and users on other machines could not log in.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # no <img> or <script> of another site reads it
}
CORS = "access-control-"  # Gradio allows any origin; the studio allows none
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")

log = logging.getLogger(__name__)


class SecurityMiddleware:
    """Add security headers to every response, and refuse requests from pages of other sites.

    Other sites may link here. They may not change anything, and may not embed anything: even the
    size of an image reveals something. Programs send no origin, and are allowed.

    Without accounts (`local_only`), only requests to a local name are answered. A page elsewhere
    can point its own host name at 127.0.0.1 (DNS rebinding), so that the browser takes the studio
    for its own origin; the Host header reveals it. With accounts, the login's cookie protects:
    browsers send it only to the name under which the user logged in.
    """

    def __init__(self, app: ASGIApp, *, local_only: bool = True) -> None:
        self.app = app
        self.local_only = local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # the studio has none
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_secured(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                answered = MutableHeaders(scope=message)
                for name in [key for key in answered if key.startswith(CORS)]:
                    del answered[name]
                for name, value in HEADERS.items():
                    answered[name] = value
            await send(message)

        headers = Headers(scope=scope)
        answer: ASGIApp = self.app
        if self.local_only and _host(headers) not in LOCAL_NAMES:
            answer = PlainTextResponse(
                "Open the studio at a local address, such as 127.0.0.1.", 421
            )
        elif not (same_origin(headers) or _navigation(scope["method"], headers)):
            answer = PlainTextResponse(
                "The request was refused: it comes from another site. Open the studio itself and "
                "try again.",
                403,
            )
        try:
            await answer(scope, receive, send_secured)
        except Exception:
            if started:
                raise
            log.exception("%s %s could not be answered", scope["method"], scope["path"])
            sentence = "Unexpected error. The studio's log has the details."
            await JSONResponse({"error": sentence}, 500)(scope, receive, send_secured)


def _host(headers: Headers) -> str | None:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:  # such as an unclosed bracket
        return None


def same_origin(headers: Headers) -> bool:
    """Return whether a request comes from a page of the studio, or from a program.

    Browsers name the origin of a request, and a page can't leave it out.
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
    """Return whether a user followed a link. An <img> or a frame is not a link."""
    return (
        method in SAFE_METHODS
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
    )
