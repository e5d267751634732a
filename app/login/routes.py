"""Logging in and out: the page, and what it sends. Programs send the same two fields.

A wrong password is answered after the same work as a right one, and too many are answered by how
long to wait (vecaf.accounts.throttle). Waits depend on the client's address. Behind a proxy uvicorn
reads it from X-Forwarded-For only if FORWARDED_ALLOW_IPS names the proxy, because anybody can send
that header.
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

from app.shell import markup as m
from app.shell.authentication import COOKIE, LOGIN, PERSON, token_in
from app.shell.static import address
from app.shell.studio import Studio
from vecaf.accounts.logins import log_in, log_out
from vecaf.errors import BusyError, InputError, NotLoggedInError, TooManyTriesError

STATUSES = {TooManyTriesError: 429, BusyError: 503}
AT_ONCE = 2  # passwords checked: each takes 64 MB for a moment
# The theme as studio.js keeps it, before the page is drawn.
_THEME = (
    "<script>(() => { let kept = null; try { kept = localStorage.getItem('studio-theme'); } "
    "catch { /* private window: not kept */ } const dark = (kept ?? "
    "(matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark'; "
    "document.documentElement.classList.toggle('dark', dark); "
    "document.documentElement.style.colorScheme = dark ? 'dark' : 'light'; })();</script>"
)

logger = logging.getLogger(__name__)


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()
    checks = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
    unnamed_proxies: set[str] = set()  # the log warns of the first one

    @router.get(LOGIN)
    def page(request: Request, next: str = "/") -> Response:
        if request.scope.get(PERSON) is not None:
            return RedirectResponse(_ours(next), 303)
        return login_page(_ours(next))

    @router.post(LOGIN)
    async def enter(request: Request) -> Response:
        given = await _fields(request)
        name, after = given.get("username", ""), _ours(given.get("next", "/"))
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
                checks, log_in, studio.store, name, given.get("password", ""), source
            )
        except (NotLoggedInError, TooManyTriesError, BusyError) as error:
            status = STATUSES.get(type(error), 401)
            answer = (
                login_page(after, name, str(error), status)
                if page
                else JSONResponse({"error": str(error)}, status)
            )
            if isinstance(error, TooManyTriesError | BusyError):
                answer.headers["Retry-After"] = str(error.seconds)
            return answer
        response = RedirectResponse(after, 303) if page else JSONResponse({"ok": True})
        response.set_cookie(
            COOKIE,
            token,
            max_age=studio.settings.login_hours * 3600,
            httponly=True,
            samesite="lax",  # not strict: an address that a colleague sent must open
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
        # Thumbnails and a form's last values are kept by the browser, which others may use.
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    return router


def login_page(after: str, name: str = "", problem: str = "", status: int = 200) -> HTMLResponse:
    """The page; `after` is where it leads to, `problem` the sentence that says what was wrong."""
    said = (
        f'<p class="notice notice-error" role="alert" id="problem">{m.text(problem)}</p>'
        if problem
        else ""
    )
    wrong = ' aria-invalid="true" aria-describedby="problem"' if problem else ""
    first, second = ("", " autofocus") if name else (" autofocus", "")
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{'Not logged in' if problem else 'Log in'} · VeCAF Studio</title>"
        '<meta name="color-scheme" content="light dark">'
        f'<link rel="icon" type="image/svg+xml" href="{address("logo.svg")}">{_THEME}'
        f'<link rel="stylesheet" href="{address("style.css")}">'
        f'<link rel="stylesheet" href="{address("accounts.css")}"></head>'
        '<body class="login"><main><div class="login-brand">'
        f'<img src="{address("logo.svg")}" alt="" width="40" height="40">'
        "<span>VeCAF <b>Studio</b></span></div>"
        f'<form class="card" method="post" action="{LOGIN}"><h1>Log in</h1>{said}'
        f'<input type="hidden" name="next" value="{m.text(after)}">'
        '<label class="field"><span>Name</span><input type="text" name="username" '
        f'value="{m.text(name)}" maxlength="200" required autocomplete="username" '
        f'autocapitalize="none" spellcheck="false"{wrong}{first}></label>'
        '<label class="field"><span>Password</span><input type="password" name="password" '
        f'maxlength="1000" required autocomplete="current-password"{wrong}{second}></label>'
        '<button type="submit" class="primary">Log in</button>'
        '<p class="muted">No account, or a forgotten password? Whoever runs this studio can help: '
        "<code>python -m vecaf user</code></p></form></main></body></html>"
    )
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


def _is_ignored(forwarded: str | None, source: str) -> bool:
    """Whether uvicorn did not take the client's address from X-Forwarded-For."""
    return forwarded is not None and not any(
        source in hop
        for hop in forwarded.split(",")  # a hop may have a port or brackets
    )


async def _fields(request: Request) -> dict[str, str]:
    """A form's fields, or a JSON object's. Raises InputError."""
    body = await request.body()
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            found = json.loads(body)
            if not isinstance(found, dict):
                raise ValueError
            return {str(key): str(value) for key, value in found.items()}
        return {key: values[-1] for key, values in parse_qs(body.decode()).items()}
    except (ValueError, RecursionError) as error:
        raise InputError("Send a name and a password, as a form or as JSON.") from error


def _ours(address: str) -> str:
    """An address of this studio; anything else is the first page."""
    fine = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if fine and address.isprintable() and not address.startswith(LOGIN) else "/"
