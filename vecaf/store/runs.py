"""Named queries on runs: what pages and commands show. Each asks the gate first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.authorization import readable, visible
from vecaf.store.models import (
    Dataset,
    Round,
    Run,
    Sample,
    SelectedSample,
)


@dataclass(frozen=True)
class RunSummary:
    """One line of the list of runs. Accuracies are the last finished round's, 0 to 1."""

    id: int
    name: str
    dataset: str
    dataset_id: int
    strategy: str
    seed: int
    state: str
    stage: str
    done: int
    total: int
    cancel_requested: bool
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    rounds: int  # configured
    rounds_done: int
    val_accuracy: float | None
    test_accuracy: float | None
    attempt: int  # above 1 where it was interrupted and went on
    seconds: float  # that its finished rounds took


def list_runs(
    session: Session,
    user_id: int,
    *,
    limit: int | None = 100,
    before_id: int | None = None,
    dataset_id: int | None = None,
) -> list[RunSummary]:
    """The runs that the user can see, of one dataset or of all, newest first.

    Page on with `before_id` = the last id.
    """
    query = _summaries().where(readable(Run, user_id)).order_by(Run.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Run.id < before_id)
    if dataset_id is not None:
        query = query.where(Run.dataset_id == dataset_id)
    return [_summary(row) for row in session.execute(query)]


def run_summary(session: Session, user_id: int, run_id: int) -> RunSummary:
    """One run's line. Raises NotFoundError."""
    visible(session, user_id, Run, run_id)
    return _summary(session.execute(_summaries().where(Run.id == run_id)).one())


def rounds_of(session: Session, user_id: int, run_id: int) -> Sequence[Round]:
    """The run's finished rounds, first to last."""
    visible(session, user_id, Run, run_id)
    return session.scalars(
        sa.select(Round).where(Round.run_id == run_id).order_by(Round.number)
    ).all()


@dataclass(frozen=True)
class CurvePoint:
    """What a finished round had cost by then, and how good its model was (0 to 1, or None)."""

    number: int
    labeled: int
    batches: int
    val_accuracy: float | None
    test_accuracy: float | None


def learning_curves(
    session: Session, user_id: int, run_ids: Sequence[int]
) -> dict[int, list[CurvePoint]]:
    """The finished rounds of several of the user's runs, first to last, by run."""
    query = (
        sa.select(
            Round.run_id, Round.number, Round.labeled, Round.batches, Round.val_accuracy,
            Round.test_accuracy,
        )
        .join(Run, Run.id == Round.run_id)
        .where(readable(Run, user_id), Round.run_id.in_(run_ids))
        .order_by(Round.number)
    )  # fmt: skip
    found: dict[int, list[CurvePoint]] = {run_id: [] for run_id in run_ids}
    for run_id, number, labeled, batches, val, test in session.execute(query):
        found[run_id].append(CurvePoint(number, labeled, batches, val, test))
    return found


def runs_on(session: Session, user_id: int, dataset_id: int) -> Sequence[Run]:
    """The runs on a dataset, newest first. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    query = sa.select(Run).where(Run.dataset_id == dataset_id)
    return session.scalars(query.order_by(Run.id.desc())).all()


def count_selected_per_round(session: Session, user_id: int, run_id: int) -> dict[int, int]:
    """How many images were picked, by round (a round under way included)."""
    visible(session, user_id, Run, run_id)
    rows = session.execute(
        sa.select(SelectedSample.round, sa.func.count())
        .where(SelectedSample.run_id == run_id)
        .group_by(SelectedSample.round)
        .order_by(SelectedSample.round)
    )
    return {row.round: row[1] for row in rows}


def selected_in_round(
    session: Session,
    user_id: int,
    run_id: int,
    round: int,
    *,
    offset: int = 0,
    limit: int | None = None,
) -> list[tuple[SelectedSample, Sample]]:
    """One round's picks in rank order, each with its sample, or a page of them."""
    visible(session, user_id, Run, run_id)
    rows = session.execute(
        sa.select(SelectedSample, Sample)
        .join(Sample, Sample.id == SelectedSample.sample_id)
        .where(SelectedSample.run_id == run_id, SelectedSample.round == round)
        .order_by(SelectedSample.rank)
        .offset(offset)
        .limit(limit)
    )
    return [(row.SelectedSample, row.Sample) for row in rows]


def _summaries() -> sa.Select[Run, str, int, float | None, float | None, float]:
    last = (
        sa.select(
            Round.run_id,
            sa.func.max(Round.number).label("number"),
            sa.func.sum(Round.seconds).label("seconds"),
        )
        .group_by(Round.run_id)
        .subquery()
    )
    return (
        sa.select(
            Run,
            Dataset.name.label("dataset"),
            Round.number,
            Round.val_accuracy,
            Round.test_accuracy,
            last.c.seconds,
        )
        .join(Dataset, Dataset.id == Run.dataset_id)
        .outerjoin(last, last.c.run_id == Run.id)
        .outerjoin(Round, sa.and_(Round.run_id == Run.id, Round.number == last.c.number))
    )


def _summary(row: sa.Row[Run, str, int, float | None, float | None, float]) -> RunSummary:
    run, dataset, number, val_accuracy, test_accuracy, seconds = row  # the last four may be NULL
    return RunSummary(
        id=run.id,
        name=run.name,
        dataset=dataset,
        dataset_id=run.dataset_id,
        strategy=str(run.config.get("strategy", "")),
        seed=run.seed,
        state=run.state,
        stage=run.stage,
        done=run.done,
        total=run.total,
        cancel_requested=run.cancel_requested,
        error=run.error,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        rounds=int(run.config.get("rounds", 0)),
        rounds_done=number or 0,
        val_accuracy=val_accuracy,
        test_accuracy=test_accuracy,
        attempt=run.attempt,
        seconds=seconds or 0.0,
    )
