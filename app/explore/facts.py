"""Routes that answer in JSON: the dataset, the progress of its map, one image, the findings."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from vecaf.arrays.neighbors import nearest_neighbors
from vecaf.datasets.edits import history
from vecaf.engine.queue import submit_task
from vecaf.errors import NotFoundError
from vecaf.evaluation.map_layout import MIN_DIST
from vecaf.store import ENDED, Dataset, Run, Sample, User, visible
from vecaf.store.page_queries import dataset_choices
from vecaf.store.subsets import subsets_of

from ..shell.ids import Id
from ..shell.media import image_url, thumb_url
from ..shell.studio import Studio
from . import maps

NEIGHBORS, MOST_NEIGHBORS = 12, 500
MinDist = Annotated[float, Field(ge=0, le=1)]
HISTORY = 20


class NewMap(BaseModel):
    """The settings of a map: the smallest distance between its points."""

    min_dist: MinDist = MIN_DIST


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()
    settings = studio.settings

    @router.get("/start.json")
    def start(
        request: Request, dataset: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None
    ) -> JSONResponse:
        """Return what the page needs first, for the newest dataset if `dataset` is not given."""
        user = studio.user(request)
        with studio.store.read() as session:
            choices = dataset_choices(session, user)
            if dataset is None and not choices:
                return _fresh({"dataset": None, "datasets": []})
            found = visible(session, user, Dataset, choices[0][0] if dataset is None else dataset)
            return _fresh(
                {
                    "dataset": {
                        "id": found.id,
                        "name": found.name,
                        "classes": found.classes,
                        "attribution": found.attribution,
                    },
                    "datasets": choices,
                    **_changing(studio, session, user, found),
                }
            )

    @router.get("/{dataset_id}/state.json")
    def state(dataset_id: Id, request: Request) -> JSONResponse:
        """Return what may change while the page is open."""
        user = studio.user(request)
        with studio.store.read() as session:
            found = visible(session, user, Dataset, dataset_id)
            return _fresh(_changing(studio, session, user, found))

    @router.post("/{dataset_id}/map")
    def make_map(dataset_id: Id, request: Request, wanted: NewMap | None = None) -> JSONResponse:
        """Queue the computation of the map, unless it is in progress or up to date."""
        user = studio.user(request)
        min_dist = MIN_DIST if wanted is None else wanted.min_dist
        with studio.store.read() as session:
            last = maps.map_state(session, studio.settings, user, dataset_id)
        params = {} if min_dist == MIN_DIST else {"min_dist": min_dist}
        again = last.outdated or (last.state in ENDED and last.min_dist != min_dist)
        task = submit_task(studio.store, maps.MAP_TASK, dataset_id, params, user, again=again)
        return _fresh({"task": task})

    @router.post("/{dataset_id}/findings")
    def refresh_findings(dataset_id: Id, request: Request) -> JSONResponse:
        """Queue a new search for findings with the current labels."""
        user = studio.user(request)
        with studio.store.read() as session:
            revision = visible(session, user, Dataset, dataset_id).revision
        params = {"revision": revision}
        return _fresh(
            {"task": submit_task(studio.store, maps.FINDINGS_TASK, dataset_id, params, user)}
        )

    @router.get("/{dataset_id}/image/{sample_id}")
    def image(
        dataset_id: Id, sample_id: Annotated[int, InPath(ge=1, le=2**63 - 1)], request: Request
    ) -> JSONResponse:
        """Return the facts of one image and its history."""
        user = studio.user(request)
        with studio.store.read() as session:
            sample = _sample(session, user, dataset_id, sample_id)
            changes = history(session, user, sample_id)[:HISTORY]
            people = sa.select(User.id, User.name).where(
                User.id.in_({change.user_id for change in changes})
            )
            names = {row.id: row.name for row in session.execute(people)}
        return _fresh(
            {
                "id": sample.id,
                "file_name": sample.file_name,
                "caption": sample.caption,
                "width": sample.width,
                "height": sample.height,
                "image": image_url(sample.id, sample.sha256),
                "thumb": thumb_url(sample.id, sample.sha256),
                "history": [
                    {
                        "kind": change.kind,
                        "value": change.value,
                        "previous": change.previous,
                        "by": names.get(change.user_id, ""),
                        "at": change.created_at.isoformat(),
                    }
                    for change in changes
                ],
            }
        )

    @router.get("/{dataset_id}/neighbors/{sample_id}")
    def neighbors(
        dataset_id: Id,
        sample_id: Annotated[int, InPath(ge=1, le=2**63 - 1)],
        request: Request,
        count: Annotated[int, Query(ge=1, le=MOST_NEIGHBORS)] = NEIGHBORS,
    ) -> JSONResponse:
        """Return the rows and cosine similarities of the nearest images, nearest first."""
        user = studio.user(request)
        with studio.store.read() as session:
            _sample(session, user, dataset_id, sample_id)
            path = maps.map_file(session, settings, user, dataset_id, maps.SPACE)
            inside = sa.select(sa.func.count()).where(Sample.dataset_id == dataset_id)
            size = session.scalar(inside) or 0
            row = session.scalar(inside.where(Sample.id < sample_id)) or 0
        space = maps.read_rows(path, size)
        rows, cosines = nearest_neighbors(space, space[row], count, exclude=row)
        return _fresh(
            {"rows": rows.tolist(), "similarities": [round(float(value), 4) for value in cosines]}
        )

    @router.get("/{dataset_id}/findings.json")
    def findings(dataset_id: Id, request: Request) -> JSONResponse:
        """Return near-duplicates, outliers and likely label errors, with their evidence."""
        user = studio.user(request)
        with studio.store.read() as session:
            path = maps.map_file(session, settings, user, dataset_id, maps.FINDINGS)
        return _fresh(maps.read_findings(path))

    return router


def _changing(studio: Studio, session: Session, user: int, dataset: Dataset) -> dict[str, Any]:
    state = maps.map_state(session, studio.settings, user, dataset.id)
    runs = session.execute(
        sa.select(Run.id, Run.name, Run.state)
        .where(Run.dataset_id == dataset.id)
        .order_by(Run.id.desc())
    )
    return {
        "revision": dataset.revision,
        "map": {
            "task": state.task,
            "state": state.state,
            "ended": state.state in ENDED,
            "stage": state.stage,
            "done": state.done,
            "total": state.total,
            "error": state.error,
            "ready": state.ready,
            "findings": state.findings,
            "outdated": state.outdated,
            "warning": state.warning,
            "min_dist": state.min_dist,
        },
        "runs": [{"id": run.id, "name": run.name, "state": run.state} for run in runs],
        "subsets": [
            {"id": subset.id, "name": subset.name, "kind": subset.kind, "images": subset.images}
            for subset in subsets_of(session, user, dataset.id)
        ],
        "idle": studio.idle(session),
    }


def _sample(session: Session, user: int, dataset_id: int, sample_id: int) -> Sample:
    visible(session, user, Dataset, dataset_id)
    sample = session.get(Sample, sample_id)
    if sample is None or sample.dataset_id != dataset_id:
        raise NotFoundError(f"There is no image {sample_id} in this dataset.")
    return sample


def _fresh(content: Any) -> JSONResponse:
    return JSONResponse(content, headers={"Cache-Control": "private, no-store"})
