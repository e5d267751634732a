"""The workflow bar: the steps of the dataset at hand, below the navigation bar of every page."""

from __future__ import annotations

from functools import lru_cache

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from vecaf.store import Dataset, Run, Subset, visible
from vecaf.store.page_queries import dataset_choices
from vecaf.store.workflow import PoolCounts, Workflow, pool_counts, workflow

from .ids import QueryId
from .studio import Studio
from .templates import macros

REMEMBERED = 256  # counts of datasets, by revision: pages ask every few seconds


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @lru_cache(maxsize=REMEMBERED)
    def counts(dataset_id: int, _revision: int) -> PoolCounts:
        with studio.store.read() as session:
            return pool_counts(session, session.get_one(Dataset, dataset_id))

    @router.get("/workflow")
    def bar(
        request: Request,
        dataset: QueryId | None = None,
        run: QueryId | None = None,
        subset: QueryId | None = None,
    ) -> JSONResponse:
        """Return the bar of a dataset, which a run or a selection can name.

        Without any of them, it is the newest dataset, which pages open by default.
        """
        user = studio.user(request)
        with studio.store.read() as session:
            found = dataset_of(session, user, dataset, run, subset)
            if found is None:
                return JSONResponse({"html": "", "moving": False})
            row = visible(session, user, Dataset, found)
            shown = workflow(session, user, row, counts(found, row.revision))
        return JSONResponse({"html": html(shown), "moving": shown.moving})

    return router


def html(shown: Workflow) -> str:
    """Render the bar."""
    return str(macros("shell", "workflow.html").bar(shown))


def dataset_of(
    session: Session, user: int, dataset: int | None, run: int | None, subset: int | None
) -> int | None:
    """Return the dataset that an address names; None if the user has none. Raises NotFoundError."""
    if dataset is not None:
        return visible(session, user, Dataset, dataset).id
    if run is not None:
        return visible(session, user, Run, run).dataset_id
    if subset is not None:
        return visible(session, user, Subset, subset).dataset_id
    return next((id_ for id_, _ in dataset_choices(session, user)), None)
