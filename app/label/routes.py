"""Routes of the Label page: save labels, undo them, add classes, suggest labels.

`vecaf.datasets.edits` records who changed a label and when. Saving labels is idempotent, so the
page can repeat a request that got no answer.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import sqlalchemy as sa
from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from vecaf.datasets.edits import add_class, edit, undo
from vecaf.errors import InputError, NotFoundError
from vecaf.store import TEST, Annotation, Dataset, Edit, Sample, Subset, SubsetSample, visible
from vecaf.store.samples import count_split
from vecaf.store.subsets import subset_samples

from ..shell.array_bundle import pack
from ..shell.ids import Id
from ..shell.media import image_url, thumb_url
from ..shell.studio import Studio
from ..shell.waiting import while_connected
from .label_studio import add_label_studio_routes

LabelChanges = Annotated[dict[int, int | None], Body(embed=True)]
Names = Annotated[list[str], Body(embed=True)]
ListedIds = Annotated[list[int], Body(embed=True)]
MAX_AT_ONCE = 5_000
NO_STORE = {"Cache-Control": "private, no-store"}


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/label/{subset_id}/state")
    def state(subset_id: Id, request: Request) -> JSONResponse:
        user = studio.user(request)
        with studio.store.read() as session:
            return JSONResponse(_state(session, user, subset_id), headers=NO_STORE)

    @router.post("/label/{subset_id}/labels")
    def label(subset_id: Id, values: LabelChanges, request: Request) -> JSONResponse:
        """Label images: sample id → class index, or None to remove the label."""
        user = studio.user(request)
        with studio.store.write() as session:
            subset = visible(session, user, Subset, subset_id)
            _check_members(session, subset_id, list(values))
            edit(session, user, subset.dataset_id, "label", values)
        return JSONResponse({"ok": True})

    @router.post("/label/{subset_id}/classes")
    def classes(subset_id: Id, names: Names, request: Request) -> JSONResponse:
        """Add classes by name. Answer with all class names in order."""
        user = studio.user(request)
        with studio.store.write() as session:
            subset = visible(session, user, Subset, subset_id)
            for name in names[:MAX_AT_ONCE]:
                add_class(session, user, subset.dataset_id, name)
            dataset = visible(session, user, Dataset, subset.dataset_id)
            return JSONResponse({"classes": dataset.classes})

    @router.post("/label/{subset_id}/undo")
    def undo_labels(subset_id: Id, request: Request) -> JSONResponse:
        """Undo the user's newest change of labels in this subset. Answer with the labels now."""
        user = studio.user(request)
        with studio.store.write() as session:
            found = _newest(session, user, visible(session, user, Subset, subset_id))
            if found is None:
                raise InputError("There is no label to undo.")
            undo(session, user, found.id)
            touched = set(_touched(session, found))
            rows = subset_samples(session, user, subset_id)
        values = {sample.id: sample.label for _, sample in rows if sample.id in touched}
        return JSONResponse({"values": values})

    def suggestion_request(
        request: Request, subset_id: int, ids: list[int]
    ) -> tuple[dict[str, Any], dict[int, int]]:
        """Return the arguments of the request, and the labels that images of `ids` have now."""
        user = studio.user(request)
        with studio.store.read() as session:
            subset = visible(session, user, Subset, subset_id)
            dataset = visible(session, user, Dataset, subset.dataset_id)
            if ids:
                _check_members(session, subset_id, ids)
            labeled = _labels_of(session, ids)
        arguments = {
            "user": user,
            "dataset_id": dataset.id,
            "sample_ids": [sample_id for sample_id in ids if sample_id not in labeled],
            "classes": list(dataset.classes),
            "subset_id": subset.id,
        }
        return arguments, labeled

    @router.post("/label/{subset_id}/suggestions")
    async def suggestions(subset_id: Id, ids: ListedIds, request: Request) -> JSONResponse:
        """Suggest labels with the model, which learns from all labels that the pool has now.

        `ids` are images that have no label as far as the page knows. The answer is that of
        `vecaf.inference.suggest_labels`, and the labels that other people gave to `ids`.
        """
        asked, labeled = await run_in_threadpool(suggestion_request, request, subset_id, ids)
        answer = studio.running_inference().ask("suggest_labels", **asked)
        found = await while_connected(request, answer)
        return JSONResponse({**found, "labels": labeled}, headers=NO_STORE)

    @router.get("/label/{subset_id}/map.bin")
    async def suggested(subset_id: Id, request: Request) -> Response:
        """Send the suggested class of all images of the dataset in id order, for its map."""
        asked, _ = await run_in_threadpool(suggestion_request, request, subset_id, [])
        arguments = {name: asked[name] for name in ("user", "dataset_id", "classes")}
        answer = studio.running_inference().ask("suggest_all_labels", **arguments)
        found = await while_connected(request, answer)
        content = pack({"labels": np.array(found["labels"], np.int16)})
        return Response(content, media_type="application/octet-stream", headers=NO_STORE)

    add_label_studio_routes(router, studio)
    return router


def _state(session: Session, user: int, subset_id: int) -> dict[str, Any]:
    subset = visible(session, user, Subset, subset_id)
    dataset = visible(session, user, Dataset, subset.dataset_id)
    return {
        "subset": subset.id,
        "kind": subset.kind,
        "dataset": dataset.id,
        "tests": count_split(session, dataset.id, TEST)[0],
        "classes": list(dataset.classes),
        "images": [
            {
                "id": sample.id,
                "name": sample.file_name,
                "caption": sample.caption,
                "label": sample.label,
                "thumb": thumb_url(sample.id, sample.sha256),
                "image": image_url(sample.id, sample.sha256),
            }
            for _, sample in subset_samples(session, user, subset_id)
        ],
    }


def _check_members(session: Session, subset_id: int, ids: list[int]) -> None:
    """Raise NotFoundError for images outside the subset, InputError for too many or none."""
    if not 1 <= len(ids) <= MAX_AT_ONCE:
        raise InputError(f"Choose between 1 and {MAX_AT_ONCE:,} images.")
    query = sa.select(SubsetSample.sample_id).where(SubsetSample.subset_id == subset_id)
    outside = set(ids) - set(session.scalars(query))
    if outside:
        raise NotFoundError(f"Image {min(outside)} is not in this selection.")


def _labels_of(session: Session, ids: list[int]) -> dict[int, int]:
    """Return the labels of those of the images that have one."""
    query = sa.select(Sample.id, Sample.label).where(Sample.id.in_(ids), Sample.label.is_not(None))
    return {row.id: row.label for row in session.execute(query)}


def _newest(session: Session, user: int, subset: Subset) -> Edit | None:
    query = (
        sa.select(Edit)
        .join(Annotation, Annotation.edit_id == Edit.id)
        .join(SubsetSample, SubsetSample.sample_id == Annotation.sample_id)
        .where(Edit.dataset_id == subset.dataset_id, Edit.user_id == user)
        .where(Edit.kind == "label", Edit.undone.is_(False))
        .where(SubsetSample.subset_id == subset.id)
        .order_by(Edit.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def _touched(session: Session, made: Edit) -> list[int]:
    query = sa.select(Annotation.sample_id).where(Annotation.edit_id == made.id)
    return list(session.scalars(query))
