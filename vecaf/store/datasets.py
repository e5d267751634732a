"""Named queries on datasets: registering one, and listing them with their counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.models import TRAIN, Base, Dataset, Sample

_AT_ONCE = 10_000  # rows of one insert: enough to be fast, few enough to hold


@dataclass(frozen=True)
class DatasetSummary:
    """A dataset in a list; `splits` counts its images."""

    id: int
    name: str
    classes: int
    images: int
    splits: dict[str, int]
    attribution: str | None
    created_at: datetime


def dataset_exists(session: Session, user_id: int, name: str) -> bool:
    """Whether the user has a registered dataset of this name."""
    query = sa.select(Dataset.id).where(Dataset.owner_id == user_id, Dataset.name == name)
    return session.scalar(query) is not None


def add_dataset(session: Session, dataset: Dataset, samples: Sequence[Mapping[str, Any]]) -> None:
    """Insert a dataset and its samples (Sample's columns but ids), numbered in the order given."""
    if session.get_bind().dialect.name == "sqlite":
        # Without this a large transaction locks readers out long before it commits.
        session.execute(sa.text("PRAGMA cache_spill = OFF"))
    session.add(dataset)
    session.flush()
    for start in range(0, len(samples), _AT_ONCE):
        rows = [{**row, "dataset_id": dataset.id} for row in samples[start : start + _AT_ONCE]]
        session.execute(sa.insert(Base.metadata.tables[Sample.__tablename__]), rows)


def dataset_summaries(session: Session, user_id: int) -> list[DatasetSummary]:
    """The user's datasets, newest first, each with its images counted by split."""
    datasets = session.scalars(
        sa.select(Dataset).where(Dataset.owner_id == user_id).order_by(Dataset.id.desc())
    ).all()
    counted = session.execute(
        sa.select(Sample.dataset_id, Sample.split, sa.func.count().label("size"))
        .where(Sample.dataset_id.in_([dataset.id for dataset in datasets]))
        .group_by(Sample.dataset_id, Sample.split)
    ).all()
    splits: dict[int, dict[str, int]] = {dataset.id: {} for dataset in datasets}
    for row in counted:
        splits[row.dataset_id][row.split] = row.size
    return [
        DatasetSummary(
            id=dataset.id,
            name=dataset.name,
            classes=len(dataset.classes),
            images=sum(splits[dataset.id].values()),
            splits=splits[dataset.id],
            attribution=dataset.attribution,
            created_at=dataset.created_at,
        )
        for dataset in datasets
    ]


def in_pool(dataset_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions on a sample that make it one of the dataset's pool."""
    return (
        Sample.dataset_id == dataset_id,
        Sample.split == TRAIN,
        Sample.excluded.is_(False),
    )


def pool_by_class(session: Session, dataset: Dataset) -> list[int]:
    """How many labelled images of each class the pool holds, in the order of `dataset.classes`."""
    counted = session.execute(
        sa.select(Sample.label, sa.func.count().label("size"))
        .where(*in_pool(dataset.id), Sample.label.is_not(None))
        .group_by(Sample.label)
    )
    sizes = {row.label: row.size for row in counted}
    return [sizes.get(index, 0) for index in range(len(dataset.classes))]
