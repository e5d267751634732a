"""Routes that change a dataset: subsets, labels, captions, exclusions, and undo.

Requests from other sites are refused earlier (app.shell.security).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from vecaf.datasets import edits
from vecaf.store import SUBSET, Dataset, Edit, visible
from vecaf.store.subsets import add_subset

from ..shell.ids import Id
from ..shell.studio import Studio

SampleIds = Annotated[list[Annotated[int, Field(ge=1, le=2**63 - 1)]], Field(max_length=5_000_000)]


class NewSubset(BaseModel):
    name: str
    ids: SampleIds


class NewLabel(BaseModel):
    """`label` is a class index, None for no label; `name` may name a new class instead."""

    ids: SampleIds
    label: int | None = None
    name: str | None = None


class NewCaption(BaseModel):
    ids: SampleIds
    caption: str | None


class Exclusion(BaseModel):
    ids: SampleIds
    excluded: bool


class Undo(BaseModel):
    edit: Annotated[int, Field(ge=1, le=2**63 - 1)]


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    def change(
        request: Request, dataset_id: int, kind: edits.EditKind, ids: list[int], value: edits.Value
    ) -> JSONResponse:
        user = studio.user(request)
        with studio.store.write() as session:
            made = edits.edit(session, user, dataset_id, kind, dict.fromkeys(ids, value))
            dataset = visible(session, user, Dataset, dataset_id)
            answer = {
                "edit": None if made is None else made.id,
                "images": 0 if made is None else made.images,
                "revision": dataset.revision,
                "classes": dataset.classes,
                "value": value,
            }
        return JSONResponse(answer)

    @router.post("/{dataset_id}/subset")
    def subset(dataset_id: Id, given: NewSubset, request: Request) -> JSONResponse:
        user = studio.user(request)
        with studio.store.write() as session:
            made = add_subset(session, user, dataset_id, given.name, SUBSET, given.ids)
            return JSONResponse({"subset": made.id, "name": made.name})

    @router.post("/{dataset_id}/label")
    def label(dataset_id: Id, given: NewLabel, request: Request) -> JSONResponse:
        value = given.label
        if given.name is not None:
            user = studio.user(request)
            with studio.store.write() as session:
                value = edits.add_class(session, user, dataset_id, given.name)
        return change(request, dataset_id, "label", given.ids, value)

    @router.post("/{dataset_id}/caption")
    def caption(dataset_id: Id, given: NewCaption, request: Request) -> JSONResponse:
        return change(request, dataset_id, "caption", given.ids, given.caption)

    @router.post("/{dataset_id}/excluded")
    def excluded(dataset_id: Id, given: Exclusion, request: Request) -> JSONResponse:
        return change(request, dataset_id, "excluded", given.ids, given.excluded)

    @router.post("/{dataset_id}/undo")
    def undo(dataset_id: Id, given: Undo, request: Request) -> JSONResponse:
        user = studio.user(request)
        with studio.store.write() as session:
            dataset = visible(session, user, Dataset, dataset_id)
            restored = edits.undo(session, user, given.edit)
            since = session.get_one(Edit, given.edit).images - restored
            return JSONResponse({"images": restored, "since": since, "revision": dataset.revision})

    return router
