"""Queries of the Predict page. Each returns only what the user can read."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import NotFoundError
from vecaf.store.authorization import readable, visible
from vecaf.store.models import ENDED, FINISHED, TEST, Dataset, Run, Sample, Task
from vecaf.store.runs import RunSummary, run_summary

MAX_RUNS = 100  # finished runs to offer
BATCH = "batch_predict"  # kind of the tasks that predict many images


def finished_runs(session: Session, user_id: int) -> list[RunSummary]:
    """Return the newest finished runs that the user can read."""
    query = sa.select(Run.id).where(readable(Run, user_id), Run.state == FINISHED)
    ids = session.scalars(query.order_by(Run.id.desc()).limit(MAX_RUNS)).all()
    return [run_summary(session, user_id, run_id) for run_id in ids]


def newest_finished(session: Session, user_id: int, dataset_id: int | None) -> int | None:
    """Return the id of the newest finished run, preferably on this dataset, or None."""
    query = sa.select(Run.id).where(readable(Run, user_id), Run.state == FINISHED)
    newest = query.order_by((Run.dataset_id == dataset_id).desc(), Run.id.desc()).limit(1)
    return session.scalar(newest)


def test_pictures(session: Session, user_id: int, run_id: int, shown: int) -> list[Sample]:
    """Return up to `shown` evenly spaced test images of the run's dataset. Raises NotFoundError."""
    dataset_id = visible(session, user_id, Run, run_id).dataset_id
    tested = (Sample.dataset_id == dataset_id, Sample.split == TEST)
    size = session.scalar(sa.select(sa.func.count()).select_from(Sample).where(*tested)) or 0
    count = min(shown, size)
    position = sa.func.row_number().over(order_by=Sample.id).label("position")
    numbered = sa.select(Sample.id, position).where(*tested).subquery()
    query = (
        sa.select(Sample)
        .join(numbered, numbered.c.id == Sample.id)
        .where(numbered.c.position * count % max(1, size) < count)
        .order_by(Sample.id)
        .limit(count)
    )
    return list(session.scalars(query))


def samples_of_run(
    session: Session, user_id: int, run_id: int, ids: Collection[int]
) -> tuple[dict[int, Sample], list[str]]:
    """Return the samples of the run's dataset among `ids`, by id, and the class names."""
    run = visible(session, user_id, Run, run_id)
    classes = visible(session, user_id, Dataset, run.dataset_id).classes
    query = sa.select(Sample).where(Sample.dataset_id == run.dataset_id, Sample.id.in_(ids))
    return {sample.id: sample for sample in session.scalars(query)}, list(classes)


def batch(session: Session, user_id: int, run_id: int, task_id: int) -> Task:
    """Return a task that predicts many images with a run. Raises NotFoundError."""
    visible(session, user_id, Run, run_id)
    missing = NotFoundError(f"Run {run_id} has no predictions with the number {task_id}.")
    try:
        task = visible(session, user_id, Task, task_id)
    except NotFoundError:
        raise missing from None
    if task.kind != BATCH or task.params.get("run") != run_id:
        raise missing
    return task


def batches(session: Session, user_id: int, run_id: int, limit: int = 10) -> list[Task]:
    """Return the newest tasks that predict many images with a run. Raises NotFoundError."""
    run = visible(session, user_id, Run, run_id)
    query = sa.select(Task).where(Task.dataset_id == run.dataset_id, Task.kind == BATCH)
    found = session.scalars(query.order_by(Task.id.desc()))
    return [task for task in found if task.params.get("run") == run_id][:limit]


def uploads_in_use(session: Session) -> set[str]:
    """Return the file names of the uploads that tasks still need."""
    query = sa.select(Task.params).where(Task.kind == BATCH, Task.state.not_in(ENDED))
    return {str(params.get("upload")) for params in session.scalars(query)}
