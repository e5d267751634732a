"""Suggest the next step for a dataset: select, label, finetune, label the rest, or predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.models import FINISHED, QUEUED, RUNNING, SELECTION, Run
from vecaf.store.subsets import SubsetSummary, subsets_of

SELECT, LABEL, FINETUNE = "select", "label", "finetune"
WATCH, LABEL_REST, PREDICT = "watch", "label-rest", "predict"
LOOKED_AT = 50  # finished runs, of which the page suggests one


@dataclass(frozen=True)
class NextStep:
    """The next step.

    `subset` is the selection to label or train on, and `run` the run to watch or to use; None if
    there is none.
    """

    kind: str
    subset: SubsetSummary | None = None
    run: int | None = None


READY = NextStep(FINETUNE)


@dataclass(frozen=True)
class RunState:
    """What the next step depends on for a run."""

    id: int
    state: str
    created_at: datetime


def next_step(
    session: Session, user_id: int, dataset_id: int, pool_counts: Sequence[int], unlabeled: int
) -> NextStep:
    """Return the next step for a dataset.

    Parameters
    ----------
    pool_counts
        The number of labeled pool images of each class.
    unlabeled
        The number of pool images without a label.

    Raises
    ------
    NotFoundError
        The user can't see the dataset.
    """
    selections = selections_of(session, user_id, dataset_id)
    return step_from(pool_counts, selections, unlabeled, newest_runs(session, dataset_id))


def next_step_to_train(
    session: Session, user_id: int, dataset_id: int, pool_counts: Sequence[int]
) -> NextStep:
    """Return the next step toward another run, without regard to existing runs.

    Raises NotFoundError if the user can't see the dataset.
    """
    return step_to_train(pool_counts, selections_of(session, user_id, dataset_id))


def selections_of(session: Session, user_id: int, dataset_id: int) -> list[SubsetSummary]:
    """Return the selections of a dataset, newest first. Raises NotFoundError."""
    return [line for line in subsets_of(session, user_id, dataset_id) if line.kind == SELECTION]


def newest_runs(session: Session, dataset_id: int) -> list[RunState]:
    """Return the active runs of a dataset and a finished one, newest first.

    The finished one is the newest that is neither a random baseline nor made for a target domain.
    If there is none, it is the newest of all.
    """
    of_dataset = Run.dataset_id == dataset_id
    finished = session.execute(
        sa.select(Run.id, Run.config)
        .where(of_dataset, Run.state == FINISHED)
        .order_by(Run.id.desc())
        .limit(LOOKED_AT)
    ).all()
    chosen = next((row for row in finished if not _for_comparison(row.config)), None)
    last = chosen or next(iter(finished), None)
    wanted = sa.or_(
        Run.state.in_((QUEUED, RUNNING)), sa.false() if last is None else Run.id == last.id
    )
    query = sa.select(Run.id, Run.state, Run.created_at).where(of_dataset, wanted)
    rows = session.execute(query.order_by(Run.id.desc()))
    return [RunState(row.id, row.state, row.created_at) for row in rows]


def _for_comparison(config: Mapping[str, Any]) -> bool:
    """Return whether a run serves a comparison: a random baseline, or one for a target domain."""
    target = config.get("target_words") or config.get("adapt_to")
    return bool(target) or config.get("strategy") == "random"


def step_from(
    pool_counts: Sequence[int],
    selections: Sequence[SubsetSummary],
    unlabeled: int,
    runs: Sequence[RunState],
) -> NextStep:
    """Return the next step, given the pool's labels, its selections, and its runs, newest first."""
    active = next((run for run in runs if run.state != FINISHED), None)
    if active is not None:
        return NextStep(WATCH, run=active.id)
    if not runs:
        return step_to_train(pool_counts, selections)
    finished = runs[0]
    later = [line for line in selections if line.images and line.created_at > finished.created_at]
    waiting = next((line for line in later if line.labeled < line.images), None)
    if waiting is not None:
        return NextStep(LABEL, waiting)
    if later and unlabeled:
        return step_to_train(pool_counts, selections)
    return NextStep(LABEL_REST if unlabeled else PREDICT, run=finished.id)


def step_to_train(pool_counts: Sequence[int], selections: Sequence[SubsetSummary]) -> NextStep:
    """Return the next step toward a run, given the pool's labels and selections, newest first."""
    filled = [line for line in selections if line.images]
    done = next((line for line in filled if line.labeled == line.images), None)
    waiting = next((line for line in filled if line.labeled < line.images), None)
    trainable = sum(count > 0 for count in pool_counts) >= 2
    # A strategy can select only from labeled images; here all of them belong to a selection.
    only_selections = sum(pool_counts) <= sum(line.labeled for line in filled)
    if trainable and (done is not None or waiting is None or not only_selections):
        return NextStep(FINETUNE, done if only_selections else None)
    return NextStep(SELECT if waiting is None else LABEL, waiting)
