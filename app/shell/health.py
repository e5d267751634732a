"""Health check: pages, files and the database."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from vecaf.errors import UnavailableError
from vecaf.store.workers import worker_alive

from . import static
from .studio import Studio

TIMEOUT_SECONDS = 3.0


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> JSONResponse:
        """Use what a page uses: the threads for authentication and for files, and the database.

        Answer 503 if a page would wait or fail. `worker` says whether a worker is alive.
        """
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(studio.authentication, lambda: None)
                alive = await run_in_threadpool(_look, studio)
        except TimeoutError:
            return _trouble(f"The studio takes longer than {TIMEOUT_SECONDS:g} s to answer.")
        except UnavailableError as error:
            return _trouble(str(error))
        except (sa.exc.DatabaseError, OSError):
            return _trouble("The database or the studio's files can't be read.")
        return JSONResponse({"ok": True, "worker": alive})

    return router


def _look(studio: Studio) -> bool:
    static.files()[static.BASE_STYLE].stat()
    with studio.store.read() as session:
        return worker_alive(session)


def _trouble(sentence: str) -> JSONResponse:
    return JSONResponse({"ok": False, "error": sentence}, 503)
