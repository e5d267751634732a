"""Authentication: in a studio with accounts, only users who are logged in reach a route.

The middleware comes before every route, Gradio's included, so it also covers routes that are added
later. Authorization, what a user may see, is in vecaf.store.authorization.
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


class AuthenticationMiddleware:
    """Find the user who sends a request, and refuse requests without a login."""

    def __init__(self, app: ASGIApp, store: Store, threads: Executor) -> None:
        """Run the database queries in `threads`, where no other work delays them."""
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
    """Return who sent a request of FastAPI or Gradio, None without a login."""
    inner = getattr(request, "request", request)  # Gradio's wraps the one that came in
    scope = getattr(inner, "scope", None)
    found = scope.get(PERSON) if isinstance(scope, dict) else None
    return found if isinstance(found, LoggedInUser) else None


def token_in(headers: Headers) -> str | None:
    """Return the login token in a request's cookies."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def _open_to_all(scope: Scope) -> bool:
    path: str = scope["path"]
    return path in (LOGIN, "/healthz") or STATIC.fullmatch(path) is not None


def _refusal(scope: Scope, headers: Headers) -> Response:
    """Redirect a browser to the login page; answer a program with status 401."""
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        query = scope["query_string"].decode("latin-1")
        wanted = quote(scope["path"], safe="/") + (f"?{query}" if query else "")
        address = LOGIN if wanted == "/" else f"{LOGIN}?next={quote(wanted, safe='/')}"
        return RedirectResponse(address, 303)
    return JSONResponse({"error": "Log in first: this studio requires a login."}, 401)
