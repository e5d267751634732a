"""Routes of the Explore page: arrays, facts of an image, searches, changes."""

from __future__ import annotations

from fastapi import APIRouter

from ..shell.studio import Studio
from . import arrays, changes, facts, search


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/explore")
    router.include_router(facts.routes(studio))
    router.include_router(arrays.routes(studio))
    router.include_router(search.routes(studio))
    router.include_router(changes.routes(studio))
    return router
