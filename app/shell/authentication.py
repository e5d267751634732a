"""The door: where accounts are on, nobody gets past it without a login.

It lies before every route, Gradio's included, so a route that is added later is behind it too.
What a person may then see is the gate's business (vecaf.store.authorization).
"""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import Executor
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vecaf.accounts.logins import LoggedInUser, find_login
from vecaf.store import Store

COOKIE = "vecaf_login"
PERSON = "vecaf.person"
"""Where the request's scope holds the `LoggedInUser` who is logged in."""
LOGIN = "/login"
STATIC = re.compile("/static/app/[^/]+/[^/]+")


class Door:
    """Middleware: finds out who is asking, and turns away whoever is nobody."""

    def __init__(self, app: ASGIApp, store: Store, threads: Executor) -> None:
        """`threads` do nothing else, so that no other work delays finding out who is asking."""
        self.app = app
        self.store = store
        self.threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        token = token_in(headers)
        person = await self._person(token) if token else None
        if person is not None:
            scope[PERSON] = person
        if person is None and not _open_to_all(scope):
            await _refusal(scope, headers)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _person(self, token: str) -> LoggedInUser | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, find_login, self.store, token)


def person_in(request: Any) -> LoggedInUser | None:
    """Who sent a request, FastAPI's or Gradio's; None where that is nobody."""
    inner = getattr(request, "request", request)  # Gradio's wraps the one that came in
    scope = getattr(inner, "scope", None)
    found = scope.get(PERSON) if isinstance(scope, dict) else None
    return found if isinstance(found, LoggedInUser) else None


def token_in(headers: Headers) -> str | None:
    """The login's token in a request's cookies."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def _open_to_all(scope: Scope) -> bool:
    path: str = scope["path"]
    return path in (LOGIN, "/healthz") or STATIC.fullmatch(path) is not None


def _refusal(scope: Scope, headers: Headers) -> Response:
    """A person is led to the login, and back afterwards; a program is told."""
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        query = scope["query_string"].decode("latin-1")
        wanted = quote(scope["path"], safe="/") + (f"?{query}" if query else "")
        address = LOGIN if wanted == "/" else f"{LOGIN}?next={quote(wanted, safe='/')}"
        return RedirectResponse(address, 303)
    return JSONResponse({"error": "Log in first: this studio has accounts."}, 401)
