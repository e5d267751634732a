"""Searches: by text in captions and file names, and by meaning in the inference process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from vecaf.store import Dataset, visible
from vecaf.store.columns import read_columns, search_text

from ..shell.array_bundle import pack
from ..shell.ids import Id
from ..shell.received import check_image, image_in
from ..shell.studio import Studio
from ..shell.waiting import while_connected

Text = Annotated[str, Query(max_length=500)]


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    def authorized(request: Request, dataset_id: int) -> int:
        """Return the user if they may see the dataset. Raises NotFoundError."""
        user = studio.user(request)
        with studio.store.read() as session:
            visible(session, user, Dataset, dataset_id)
        return user

    @router.get("/{dataset_id}/text.bin")
    def text(dataset_id: Id, text: Text, request: Request) -> Response:
        """Send the `rows` of images whose caption or file name contains all words of `text`."""
        user = studio.user(request)
        with studio.store.read() as session:
            ids = search_text(session, user, dataset_id, text)
            rows = read_columns(session, user, dataset_id).rows_of(ids)
        return Response(
            pack({"rows": rows.astype(np.uint32)}),
            media_type="application/octet-stream",
            headers={"Cache-Control": "private, no-store"},
        )

    @router.get("/{dataset_id}/search")
    async def search(dataset_id: Id, text: Text, request: Request) -> JSONResponse:
        """Return `ids` and `scores` of the images that match a text best, best first."""
        user = await run_in_threadpool(authorized, request, dataset_id)
        found = studio.running_inference().ask(
            "search_text", user=user, dataset_id=dataset_id, text=text
        )
        return JSONResponse(await while_connected(request, found))

    @router.post("/{dataset_id}/search-image")
    async def search_image(dataset_id: Id, request: Request) -> JSONResponse:
        """Return `ids` and `scores` of the images most similar to the image in the body."""
        user = await run_in_threadpool(authorized, request, dataset_id)
        async with image_in(studio, request) as path:
            found = _search_image(studio, user, dataset_id, path)
            return JSONResponse(await while_connected(request, found))

    return router


async def _search_image(
    studio: Studio, user: int, dataset_id: int, path: Path
) -> dict[str, object]:
    await check_image(studio, user, path)
    process = studio.running_inference()
    return await process.ask("search_image", user=user, dataset_id=dataset_id, path=str(path))
