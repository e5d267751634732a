"""Queries on tasks: jobs on a dataset that are not runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.authorization import visible
from vecaf.store.models import CANCELED, FAILED, Dataset, Task


def find_task(
    session: Session, user_id: int, dataset_id: int, kind: str, params: Mapping[str, Any]
) -> Task | None:
    """Find the newest task with these parameters that did not fail and was not canceled.

    Raises NotFoundError if the user can't read the dataset.
    """
    visible(session, user_id, Dataset, dataset_id)
    query = _newest_first(dataset_id, kind).where(Task.state.not_in((FAILED, CANCELED)))
    return _with_params(session.scalars(query), params)


def last_task(
    session: Session, user_id: int, dataset_id: int, kind: str, params: Mapping[str, Any]
) -> Task | None:
    """Find the newest task with exactly these parameters, in any state. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    return _with_params(session.scalars(_newest_first(dataset_id, kind)), params)


def latest_task(session: Session, user_id: int, dataset_id: int, kind: str) -> Task | None:
    """Return the newest task of a kind on a dataset, in any state. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    return session.scalar(_newest_first(dataset_id, kind).limit(1))


def _newest_first(dataset_id: int, kind: str) -> sa.Select[Task]:
    of_kind = sa.select(Task).where(Task.dataset_id == dataset_id, Task.kind == kind)
    return of_kind.order_by(Task.id.desc())


def _with_params(tasks: Iterable[Task], params: Mapping[str, Any]) -> Task | None:
    return next((task for task in tasks if task.params == dict(params)), None)
