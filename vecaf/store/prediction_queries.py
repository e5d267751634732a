"""Named queries of the Predict page. Each asks the gate first."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.authorization import readable, visible
from vecaf.store.models import FINISHED, TEST, Dataset, Run, Sample
from vecaf.store.runs import RunSummary, run_summary

LISTED = 100  # finished runs that are offered


def finished_runs(session: Session, user_id: int) -> list[RunSummary]:
    """The user's last finished runs, newest first."""
    query = sa.select(Run.id).where(readable(Run, user_id), Run.state == FINISHED)
    ids = session.scalars(query.order_by(Run.id.desc()).limit(LISTED)).all()
    return [run_summary(session, user_id, run_id) for run_id in ids]


def newest_finished(session: Session, user_id: int, dataset_id: int | None) -> int | None:
    """The user's newest finished run, of the dataset if it has one; None where there is none."""
    query = sa.select(Run.id).where(readable(Run, user_id), Run.state == FINISHED)
    newest = query.order_by((Run.dataset_id == dataset_id).desc(), Run.id.desc()).limit(1)
    return session.scalar(newest)


def test_pictures(session: Session, user_id: int, run_id: int, shown: int) -> list[Sample]:
    """Up to `shown` test images of the run's dataset, at even distances. Raises NotFoundError."""
    dataset_id = visible(session, user_id, Run, run_id).dataset_id
    tested = (Sample.dataset_id == dataset_id, Sample.split == TEST)
    size = session.scalar(sa.select(sa.func.count()).select_from(Sample).where(*tested)) or 0
    taken = min(shown, size)
    position = sa.func.row_number().over(order_by=Sample.id).label("position")
    numbered = sa.select(Sample.id, position).where(*tested).subquery()
    query = (
        sa.select(Sample)
        .join(numbered, numbered.c.id == Sample.id)
        .where(numbered.c.position * taken % max(1, size) < taken)
        .order_by(Sample.id)
        .limit(taken)
    )
    return list(session.scalars(query))


def samples_of_run(
    session: Session, user_id: int, run_id: int, ids: Collection[int]
) -> tuple[dict[int, Sample], list[str]]:
    """Those of `ids` that are samples of the run's dataset, by id, and its class names."""
    run = visible(session, user_id, Run, run_id)
    classes = visible(session, user_id, Dataset, run.dataset_id).classes
    query = sa.select(Sample).where(Sample.dataset_id == run.dataset_id, Sample.id.in_(ids))
    return {sample.id: sample for sample in session.scalars(query)}, list(classes)
