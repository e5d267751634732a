"""Background tasks: work that no user waits for. They run only while no other job does."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.models import ENDED, QUEUED, RUNNING, Dataset, Run, Task

EMBED = "embed"
BACKGROUND_KINDS = (EMBED,)
"""Kinds of background tasks."""


def queue_embedding(session: Session, dataset_id: int) -> None:
    """Queue the background task that embeds a new dataset, unless the dataset was deleted."""
    dataset = session.get(Dataset, dataset_id)
    if dataset is not None:
        task = Task(owner_id=dataset.owner_id, dataset_id=dataset_id, kind=EMBED, params={})
        session.add(task)


def active_embeddings(session: Session, user_id: int) -> list[tuple[Task, str]]:
    """Return the tasks that embed a user's datasets, each with the name of the dataset."""
    query = (
        sa.select(Task, Dataset.name)
        .join(Dataset, Dataset.id == Task.dataset_id)
        .where(Dataset.owner_id == user_id, Task.kind == EMBED, Task.state.not_in(ENDED))
        .order_by(Task.id)
    )
    return [(task, name) for task, name in session.execute(query)]


def may_start() -> sa.ColumnElement[bool]:
    """Return the condition under which a worker may claim a queued task.

    A background task waits while a run or another task is queued or running.
    """
    return sa.or_(Task.kind.not_in(BACKGROUND_KINDS), sa.not_(_other_jobs()))


def should_yield(session: Session) -> bool:
    """Return whether a running background task is to stop for another job."""
    return bool(session.scalar(sa.select(_other_jobs())))


def _other_jobs() -> sa.ColumnElement[bool]:
    active = (QUEUED, RUNNING)
    other = sa.orm.aliased(Task)
    task = sa.exists().where(other.state.in_(active), other.kind.not_in(BACKGROUND_KINDS))
    return sa.or_(sa.exists().where(Run.state.in_(active)), task)
