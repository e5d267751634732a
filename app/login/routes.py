"""The login page, login and logout. Programs send the same two fields as the page.

A wrong password takes as long to answer as a right one. After too many attempts the client has to
wait (see `vecaf.accounts.throttle`). The wait depends on the client's address. Behind a proxy,
uvicorn reads the address from X-Forwarded-For only if FORWARDED_ALLOW_IPS names the proxy, because
any client can send that header.
"""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from vecaf.accounts.logins import log_in, log_out
from vecaf.errors import BusyError, InputError, NotLoggedInError, TooManyAttemptsError

from ..shell.authentication import COOKIE, LOGIN, PERSON, token_in
from ..shell.static import address, font_faces
from ..shell.studio import Studio
from ..shell.templates import macros

STATUSES = {TooManyAttemptsError: 429, BusyError: 503}
PASSWORD_THREADS = 2  # each password check takes 64 MB for a moment

logger = logging.getLogger(__name__)


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()
    checks = ThreadPoolExecutor(PASSWORD_THREADS, thread_name_prefix="passwords")
    unnamed_proxies: set[str] = set()  # the log warns about the first one

    @router.get(LOGIN)
    def page(request: Request, next: str = "/") -> Response:
        if request.scope.get(PERSON) is not None:
            return RedirectResponse(_local(next), 303)
        return login_page(_local(next))

    @router.post(LOGIN)
    async def enter(request: Request) -> Response:
        fields = await _fields(request)
        name, after = fields.get("username", ""), _local(fields.get("next", "/"))
        page = "text/html" in request.headers.get("accept", "")
        source = request.client.host if request.client else ""
        if not unnamed_proxies and _is_ignored(request.headers.get("x-forwarded-for"), source):
            unnamed_proxies.add(source)
            logger.warning(
                "A login from %s carries X-Forwarded-For. The studio ignores it and counts wrong "
                "passwords for %s. If that is your proxy, set FORWARDED_ALLOW_IPS=%s.",
                *(source, source, source),
            )
        try:
            token = await asyncio.get_running_loop().run_in_executor(
                checks, log_in, studio.store, name, fields.get("password", ""), source
            )
        except (NotLoggedInError, TooManyAttemptsError, BusyError) as error:
            status = STATUSES.get(type(error), 401)
            answer = (
                login_page(after, name, str(error), status)
                if page
                else JSONResponse({"error": str(error)}, status)
            )
            if isinstance(error, TooManyAttemptsError | BusyError):
                answer.headers["Retry-After"] = str(error.seconds)
            return answer
        response = RedirectResponse(after, 303) if page else JSONResponse({"ok": True})
        response.set_cookie(
            COOKIE,
            token,
            max_age=studio.settings.login_hours * 3600,
            httponly=True,
            samesite="lax",  # not strict: links from other sites must work
            secure=request.url.scheme == "https",
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    @router.post("/logout")
    async def leave(request: Request) -> Response:
        token = token_in(request.headers)
        if token:
            await run_in_threadpool(log_out, studio.store, token)
        response = RedirectResponse(LOGIN, 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        # The next user of this browser must not find thumbnails and form values.
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    return router


def login_page(after: str, name: str = "", error: str = "", status: int = 200) -> HTMLResponse:
    """Return the login page.

    Parameters
    ----------
    after
        The address to open after the login.
    name
        The username to show.
    error
        Why the last attempt failed.
    status
        The HTTP status.
    """
    html = macros("login").page(after, name, error, address, font_faces())
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


def _is_ignored(forwarded: str | None, source: str) -> bool:
    """Whether uvicorn did not take the client's address from X-Forwarded-For."""
    return forwarded is not None and not any(
        source in hop
        for hop in forwarded.split(",")  # a hop may have a port or brackets
    )


async def _fields(request: Request) -> dict[str, str]:
    """Return the fields of a form or of a JSON object. Raises InputError."""
    body = await request.body()
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            found = json.loads(body)
            if not isinstance(found, dict):
                raise ValueError
            return {str(key): str(value) for key, value in found.items()}
        return {key: values[-1] for key, values in parse_qs(body.decode()).items()}
    except (ValueError, RecursionError) as error:
        raise InputError(
            "The login request is unreadable. Send username and password as a form or as JSON."
        ) from error


def _local(address: str) -> str:
    """Return an address of this studio unchanged, and the first page for any other address."""
    fine = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if fine and address.isprintable() and not address.startswith(LOGIN) else "/"
