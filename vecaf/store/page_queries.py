"""Queries that only pages need. Each returns only what the user can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.authorization import readable, visible
from vecaf.store.datasets import in_pool
from vecaf.store.models import (
    TRAIN,
    Dataset,
    Event,
    Metric,
    Round,
    Run,
    Sample,
    SelectedSample,
    Task,
    User,
)
from vecaf.store.next_step import READY, NextStep

Curve = list[tuple[int, float]]  # (step, value)


@dataclass(frozen=True)
class DatasetCard:
    """The content of a dataset's card.

    `class_counts` (labeled images) and `pool_counts` (labeled pool images) have one entry per
    class, in the order of `classes`. `unlabeled` counts images, `pool_unlabeled` pool images.
    """

    id: int
    name: str
    classes: list[str]
    splits: dict[str, int]
    class_counts: list[int]
    pool_counts: list[int]
    unlabeled: int
    pictures: list[Sample]
    runs: int
    source: str
    attribution: str | None
    report: dict[str, Any]
    created_at: datetime
    owner: str = ""  # name of the user who shares the dataset; "" if the user owns it
    next: NextStep = READY
    pool_unlabeled: int = 0

    @property
    def size(self) -> int:
        """The number of images."""
        return sum(self.splits.values())

    @property
    def class_sizes(self) -> list[tuple[str, int]]:
        """The classes with their numbers of images, largest first."""
        sizes = zip(self.classes, self.class_counts, strict=True)
        return sorted(sizes, key=lambda one: -one[1])


def dataset_choices(session: Session, user_id: int) -> list[tuple[int, str]]:
    """Return (id, name) of the datasets that the user can read, newest first."""
    query = sa.select(Dataset.id, Dataset.name).where(readable(Dataset, user_id))
    return [(row.id, row.name) for row in session.execute(query.order_by(Dataset.id.desc()))]


def dataset_names(session: Session, user_id: int) -> list[str]:
    """Return the names of the datasets that the user owns, newest first."""
    query = sa.select(Dataset.name).where(Dataset.owner_id == user_id).order_by(Dataset.id.desc())
    return list(session.scalars(query))


def dataset_card(session: Session, user_id: int, dataset_id: int, shown: int = 14) -> DatasetCard:
    """Return a dataset with its counts and up to `shown` images, spread over the pool's classes.

    This scans the dataset's samples: about 50 ms for 60,000 samples. Raises NotFoundError.
    """
    dataset = visible(session, user_id, Dataset, dataset_id)
    groups = session.execute(
        sa.select(
            Sample.split,
            Sample.label,
            sa.func.count().label("size"),
            sa.func.sum(sa.case((Sample.excluded, 0), else_=1)).label("offered"),
            sa.func.min(Sample.id).label("first"),
            sa.func.max(Sample.id).label("last"),
        )
        .where(Sample.dataset_id == dataset_id)
        .group_by(Sample.split, Sample.label)
    ).all()
    splits: dict[str, int] = {}
    counts = [0] * len(dataset.classes)
    pool_counts = [0] * len(dataset.classes)
    unlabeled = pool_unlabeled = 0
    for group in groups:
        splits[group.split] = splits.get(group.split, 0) + group.size
        if group.label is None:
            unlabeled += group.size
            pool_unlabeled += group.offered if group.split == TRAIN else 0
        else:
            counts[group.label] += group.size
            if group.split == TRAIN:
                pool_counts[group.label] += group.offered
    ends = [(group.first, group.last) for group in groups if group.split == TRAIN]
    runs = sa.select(sa.func.count()).select_from(Run).where(Run.dataset_id == dataset_id)
    return DatasetCard(
        id=dataset.id,
        name=dataset.name,
        classes=list(dataset.classes),
        splits=splits,
        class_counts=counts,
        pool_counts=pool_counts,
        unlabeled=unlabeled,
        pool_unlabeled=pool_unlabeled,
        pictures=_pool_samples(session, dataset_id, _spread(ends, shown), shown),
        runs=session.scalar(runs) or 0,
        source=dataset.source,
        attribution=dataset.attribution,
        report=dataset.report,
        created_at=dataset.created_at,
        owner="" if dataset.owner_id == user_id else session.get_one(User, dataset.owner_id).name,
    )


def _spread(ends: list[tuple[int, int]], shown: int) -> list[int]:
    """Return distinct ids to choose `shown` from, given (first, last) of each class of the pool.

    One id per class comes first. Those between the ends may belong to another class or split.
    """
    if len(ends) >= shown:
        return [ends[i * len(ends) // shown][0] for i in range(shown)]
    halves = ((2 * i + 1) / 2**depth for depth in range(1, 7) for i in range(2 ** (depth - 1)))
    places = (0, 1, *halves)  # ends, middle, quarters, …
    return list(dict.fromkeys(a + round(place * (z - a)) for place in places for a, z in ends))


def _pool_samples(session: Session, dataset_id: int, ids: list[int], shown: int) -> list[Sample]:
    """Return the first `shown` of these samples that are in the train split."""
    query = sa.select(Sample).where(
        Sample.id.in_(ids), Sample.dataset_id == dataset_id, Sample.split == TRAIN
    )
    found = {sample.id: sample for sample in session.scalars(query)}
    return [found[id_] for id_ in ids if id_ in found][:shown]


def pool_pictures(session: Session, user_id: int, dataset_id: int, shown: int) -> list[Sample]:
    """Return up to `shown` pool samples, evenly spaced in id order. Raises NotFoundError."""
    step = max(1, pool_size(session, user_id, dataset_id) // shown)
    position = sa.func.row_number().over(order_by=Sample.id).label("position")
    numbered = sa.select(Sample.id, position).where(*in_pool(dataset_id)).subquery()
    query = (
        sa.select(Sample)
        .join(numbered, numbered.c.id == Sample.id)
        .where(numbered.c.position % step == 0)
        .order_by(Sample.id)
        .limit(shown)
    )
    return list(session.scalars(query))


def pool_size(session: Session, user_id: int, dataset_id: int) -> int:
    """Count the images in the dataset's pool. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    pool = sa.select(sa.func.count()).select_from(Sample).where(*in_pool(dataset_id))
    return session.scalar(pool) or 0


def accuracies(session: Session, user_id: int, run_ids: Sequence[int]) -> dict[int, list[float]]:
    """Return the test accuracy of every finished round, by run id."""
    query = (
        sa.select(Round.run_id, Round.test_accuracy)
        .join(Run, Run.id == Round.run_id)
        .where(readable(Run, user_id), Round.run_id.in_(run_ids))
        .where(Round.test_accuracy.is_not(None))
        .order_by(Round.number)
    )
    found: dict[int, list[float]] = {}
    for run_id, accuracy in session.execute(query):
        found.setdefault(run_id, []).append(float(accuracy or 0))
    return found


def curves(session: Session, user_id: int, run_id: int, points: int = 400) -> dict[str, Curve]:
    """Return a run's metrics by name, each thinned to about `points` points including the last.

    The database thins them, since a long run has more points than a chart can show.
    Raises NotFoundError.
    """
    visible(session, user_id, Run, run_id)
    place = sa.func.row_number().over(
        partition_by=Metric.name, order_by=(Metric.step.desc(), Metric.id.desc())
    )
    size = sa.func.count().over(partition_by=Metric.name)
    numbered = (
        sa.select(Metric.name, Metric.step, Metric.value, place.label("place"), size.label("size"))
        .where(Metric.run_id == run_id)
        .subquery()
    )
    every = (numbered.c.size + points - 1) // points
    query = (
        sa.select(numbered.c.name, numbered.c.step, numbered.c.value)
        .where((numbered.c.place - 1) % every == 0)
        .order_by(numbered.c.step)
    )
    found: dict[str, Curve] = {}
    for name, step, value in session.execute(query):
        found.setdefault(name, []).append((step, value))
    return found


def run_version(session: Session, user_id: int, run_id: int) -> tuple[object, ...]:
    """Return a value that changes whenever the run's page changes; compare it by equality.

    It covers the run with its metrics, log and selected images, its dataset's labels, and all runs,
    rounds and tasks on its dataset. The query takes less than 1 ms. Raises NotFoundError.
    """
    run = visible(session, user_id, Run, run_id)

    def count(what: sa.ColumnElement[Any], *where: sa.ColumnElement[bool]) -> Any:
        return sa.select(what).where(*where).scalar_subquery()

    siblings = sa.select(Run.id).where(Run.dataset_id == run.dataset_id)
    row = session.execute(
        sa.select(
            count(sa.func.max(Metric.id), Metric.run_id == run_id),
            count(sa.func.max(Event.id), Event.run_id == run_id),
            count(sa.func.count(), SelectedSample.run_id == run_id),
            count(sa.func.count(), Round.run_id.in_(siblings)),
            count(sa.func.count(), Run.dataset_id == run.dataset_id),
            count(sa.func.count(Run.started_at), Run.dataset_id == run.dataset_id),
            count(sa.func.count(Run.finished_at), Run.dataset_id == run.dataset_id),
            count(sa.func.max(Task.id), Task.dataset_id == run.dataset_id),
            count(sa.func.sum(Task.done), Task.dataset_id == run.dataset_id),
            count(sa.func.count(Task.finished_at), Task.dataset_id == run.dataset_id),
            count(sa.func.max(Dataset.revision), Dataset.id == run.dataset_id),
        )
    ).one()
    own = (run.state, run.stage, run.done, run.total, run.cancel_requested, run.error)
    return (*own, *row)


def log_tail(session: Session, user_id: int, run_id: int, limit: int = 200) -> list[Event]:
    """Return the last lines of a run's log, oldest first. Raises NotFoundError."""
    visible(session, user_id, Run, run_id)
    query = sa.select(Event).where(Event.run_id == run_id).order_by(Event.id.desc()).limit(limit)
    return list(session.scalars(query))[::-1]
