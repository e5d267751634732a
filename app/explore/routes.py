"""Routes of the Explore page: arrays, facts of an image, searches, changes."""

from __future__ import annotations

from fastapi import APIRouter

from app.explore import arrays, changes, facts, search
from app.shell.studio import Studio


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/explore")
    router.include_router(facts.routes(studio))
    router.include_router(arrays.routes(studio))
    router.include_router(search.routes(studio))
    router.include_router(changes.routes(studio))
    return router
