"""Queries on runs for pages and commands. Each returns only what the user can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import InputError
from vecaf.options import UNSTORABLE
from vecaf.store.authorization import changeable, readable, visible
from vecaf.store.models import Dataset, Round, Run, Sample, SelectedSample
from vecaf.store.records import Metrics, RoundResult, RunDetails, accuracies
from vecaf.store.records import RunSummary as RunSummary
from vecaf.store.run_tags import has_tag, split_tags


def list_runs(
    session: Session,
    user_id: int,
    *,
    limit: int | None = 100,
    before_id: int | None = None,
    dataset_id: int | None = None,
    states: Sequence[str] = (),
    tag: str = "",
) -> list[RunSummary]:
    """Return the runs that the user can read, of one dataset or of all, newest first.

    For the next page, pass the last id as `before_id`. Without `states`, runs in any state match;
    without `tag`, runs with any tags or none.
    """
    query = _summaries().where(readable(Run, user_id)).order_by(Run.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Run.id < before_id)
    if dataset_id is not None:
        query = query.where(Run.dataset_id == dataset_id)
    if states:
        query = query.where(Run.state.in_(states))
    if tag:
        query = query.where(has_tag(tag))
    return [_summary(row) for row in session.execute(query)]


def rename_run(session: Session, user_id: int, run_id: int, name: str) -> None:
    """Give a run another name.

    Raises
    ------
    InputError
        The name is blank.
    NotFoundError, NotAllowedError
        The user can't read or can't change the run.
    """
    run = changeable(session, user_id, Run, run_id)
    name = " ".join(UNSTORABLE.sub(" ", name).split())[:200]
    if not name:
        raise InputError("Enter a name for the run.")
    run.name = name


def run_summary(session: Session, user_id: int, run_id: int) -> RunSummary:
    """Return the summary of one run. Raises NotFoundError."""
    visible(session, user_id, Run, run_id)
    return _summary(session.execute(_summaries().where(Run.id == run_id)).one())


def run_details(session: Session, user_id: int, run_id: int) -> RunDetails:
    """Return one run with the results of its finished rounds. Raises NotFoundError."""
    run = run_summary(session, user_id, run_id)
    results = rounds_of(session, user_id, run_id)
    return RunDetails(**vars(run), results=results)


def rounds_of(session: Session, user_id: int, run_id: int) -> list[RoundResult]:
    """Return the run's finished rounds, first to last. Raises NotFoundError."""
    visible(session, user_id, Run, run_id)
    query = sa.select(Round).where(Round.run_id == run_id).order_by(Round.number)
    return [round_result(row) for row in session.scalars(query)]


def round_result(row: Round) -> RoundResult:
    """Convert a row of the database to a record."""
    return RoundResult(
        number=row.number,
        labeled=row.labeled,
        batches=row.batches,
        val_accuracy=row.val_accuracy,
        test_accuracy=row.test_accuracy,
        seconds=row.seconds,
        confusion=row.confusion.get("test", []),
        metrics=row.metrics,
        forecast=row.forecast,
    )


def learning_curves(
    session: Session, user_id: int, run_ids: Sequence[int]
) -> dict[int, list[RoundResult]]:
    """Return the finished rounds of several runs, first to last, by run id.

    The results have no confusion matrices. Runs that the user can't read have no rounds.
    """
    query = (
        sa.select(
            Round.run_id, Round.number, Round.labeled, Round.batches, Round.val_accuracy,
            Round.test_accuracy, Round.seconds, Round.metrics,
        )
        .join(Run, Run.id == Round.run_id)
        .where(readable(Run, user_id), Round.run_id.in_(run_ids))
        .order_by(Round.number)
    )  # fmt: skip
    found: dict[int, list[RoundResult]] = {run_id: [] for run_id in run_ids}
    for run_id, number, labeled, batches, val, test, seconds, stored in session.execute(query):
        found[run_id].append(
            RoundResult(number, labeled, batches, val, test, seconds, metrics=stored)
        )
    return found


DIFFERENT = {"seed", "rounds", "budget", "subset"}  # settings that may differ in `later_accuracies`


def later_accuracies(session: Session, user_id: int, run_id: int) -> list[tuple[int, float]]:
    """Return labels and test accuracies of later runs that continue a run's learning curve.

    These are the rounds of newer runs on the same dataset, with the same settings apart from seed,
    rounds, budget and selection, ascending by labels. Raises NotFoundError.
    """
    run = visible(session, user_id, Run, run_id)
    query = (
        sa.select(Run.config, Round.labeled, Round.test_accuracy)
        .join(Round, Round.run_id == Run.id)
        .where(Run.dataset_id == run.dataset_id, Run.id > run_id, readable(Run, user_id))
    )
    return sorted(
        (labeled, accuracy)
        for config, labeled, accuracy in session.execute(query)
        if accuracy is not None and _settings(config) == _settings(run.config)
    )


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in DIFFERENT}


def runs_on(session: Session, user_id: int, dataset_id: int) -> Sequence[Run]:
    """Return the runs on a dataset, newest first. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    query = sa.select(Run).where(Run.dataset_id == dataset_id)
    return session.scalars(query.order_by(Run.id.desc())).all()


def count_selected_per_round(session: Session, user_id: int, run_id: int) -> dict[int, int]:
    """Count the selected images of each round, including an unfinished one."""
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
    """Return the selected images of a round in rank order, or one page of them."""
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


def _summaries() -> sa.Select[Run, str, int, int, float | None, float | None, Metrics, float]:
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
            Round.labeled,
            Round.val_accuracy,
            Round.test_accuracy,
            Round.metrics,
            last.c.seconds,
        )
        .join(Dataset, Dataset.id == Run.dataset_id)
        .outerjoin(last, last.c.run_id == Run.id)
        .outerjoin(Round, sa.and_(Round.run_id == Run.id, Round.number == last.c.number))
    )


def _summary(
    row: sa.Row[Run, str, int, int, float | None, float | None, Metrics, float],
) -> RunSummary:
    run, dataset, number, labeled, val_accuracy, test_accuracy, stored, seconds = row
    return RunSummary(
        id=run.id,
        name=run.name,
        tags=split_tags(run.tags),
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
        labeled=labeled,
        val_accuracy=val_accuracy,
        test_accuracy=test_accuracy,
        metrics=stored or accuracies(val_accuracy, test_accuracy),
        attempt=run.attempt,
        node=run.node,
        seconds=seconds or 0.0,
    )
