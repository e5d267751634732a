"""Routes that exchange a labeling task with Label Studio: a project out, labels back in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from vecaf.datasets.export_images import Export, dataset_to_export
from vecaf.datasets.exporting import zip_pieces
from vecaf.datasets.returned_labels import apply_label_studio
from vecaf.datasets.writers.label_studio import Suggestion, labeling_project
from vecaf.errors import InputError, UnavailableError
from vecaf.store import Subset, visible
from vecaf.store.subsets import subset_samples

from ..shell.ids import Id
from ..shell.studio import Studio
from ..shell.waiting import while_connected

AT_ONCE = 500  # images of one request for suggestions
MODEL = "VeCAF Studio"


def add_label_studio_routes(router: APIRouter, studio: Studio) -> None:
    """Add the routes to the router of the Label page."""

    def project(request: Request, subset_id: int) -> tuple[int, Subset, Export]:
        """Return the user, the task, and its images."""
        user = studio.user(request)
        with studio.store.read() as session:
            subset = visible(session, user, Subset, subset_id)
            ids = _members(session, user, subset_id)
        found = dataset_to_export(studio.store, user, subset.dataset_id)
        if not found.classes:
            raise InputError("Label Studio needs the names of the classes. Add the classes first.")
        images = {one.id: one for one in found.images}
        return user, subset, replace(found, images=[images[sample_id] for sample_id in ids])

    @router.get("/label/{subset_id}/label-studio.zip")
    async def download(subset_id: Id, request: Request) -> StreamingResponse:
        """Return the files of a Label Studio project, with suggested labels as predictions."""
        user, subset, found = await run_in_threadpool(project, request, subset_id)
        suggested = await while_connected(request, _suggestions(studio, user, subset, found))
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", subset.name).strip("-.") or "selection"
        return StreamingResponse(
            zip_pieces(labeling_project(found, suggested)),
            media_type="application/zip",
            headers={
                "Content-Disposition": f'attachment; filename="{name}-label-studio.zip"',
                "Cache-Control": "private, no-store",
            },
        )

    @router.post("/label/{subset_id}/label-studio")
    async def upload(subset_id: Id, request: Request) -> JSONResponse:
        """Set the labels of the task from the JSON export of a project, the body."""

        def apply(content: bytes) -> dict[str, Any]:
            user = studio.user(request)
            with studio.store.read() as session:
                subset = visible(session, user, Subset, subset_id)
                ids = _members(session, user, subset_id)
            done = apply_label_studio(
                studio.store, user, subset.dataset_id, content, "The uploaded file", within=ids
            )
            return done._asdict()

        return JSONResponse(await run_in_threadpool(apply, await request.body()))


def _members(session: Session, user: int, subset_id: int) -> list[int]:
    return [sample.id for _, sample in subset_samples(session, user, subset_id)]


async def _suggestions(
    studio: Studio, user: int, subset: Subset, found: Export
) -> Mapping[int, Suggestion]:
    """Return a suggested label by sample id; nothing if no suggestions are available."""
    suggested: dict[int, Suggestion] = {}
    if studio.inference is None or len(found.classes) < 2:
        return suggested
    ids = [one.id for one in found.images]
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        try:
            answer = await studio.inference.ask(
                "suggest_labels",
                user=user,
                dataset_id=subset.dataset_id,
                sample_ids=part,
                classes=list(found.classes),
            )
        except UnavailableError:
            return suggested  # a project without predictions is still useful
        for sample_id, label, score in answer["suggestions"]:
            suggested[sample_id] = Suggestion(found.classes[label], score, MODEL)
    return suggested
