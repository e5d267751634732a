"""Queries on subsets: named, ordered lists of a dataset's images.

A saved selection is a subset of kind "selection". A random sample of the test split that is
labeled to measure accuracy is a subset of kind "evaluation".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import InputError, NotFoundError
from vecaf.options import UNSTORABLE
from vecaf.store.authorization import changeable, visible
from vecaf.store.datasets import in_pool
from vecaf.store.models import ENDED, SUBSET_KINDS, Dataset, Run, Sample, Subset, SubsetSample


@dataclass(frozen=True)
class SubsetSummary:
    """A subset in a list; `labeled` counts its labeled images."""

    id: int
    dataset_id: int
    name: str
    kind: str
    facts: dict[str, Any]
    images: int
    labeled: int
    created_at: datetime


def add_subset(
    session: Session,
    user_id: int,
    dataset_id: int,
    name: str,
    kind: str,
    sample_ids: Sequence[int],
    *,
    scores: Mapping[str, Sequence[float]] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Subset:
    """Save images of a dataset as a named subset, in the given order.

    Parameters
    ----------
    scores
        Score parts by name, each with one value per image.
    facts
        How the subset was made: strategy, budget, seed, and so on.

    Raises
    ------
    InputError
        The name is blank or taken, or there are no images.
    NotFoundError
        An image does not belong to the dataset.
    """
    dataset = changeable(session, user_id, Dataset, dataset_id)
    name = " ".join(UNSTORABLE.sub(" ", name).split())[:200]
    if kind not in SUBSET_KINDS:
        raise InputError(f"The kind of a subset must be {' or '.join(SUBSET_KINDS)}, not '{kind}'.")
    if not name:
        raise InputError("Enter a name for the selection.")
    if not len(sample_ids):
        raise InputError("Select at least one image.")
    taken = sa.select(Subset.id).where(Subset.dataset_id == dataset_id, Subset.name == name)
    if session.scalar(taken) is not None:
        raise InputError(
            f"'{dataset.name}' already has a selection called '{name}'. Choose another name."
        )
    ids = [int(sample_id) for sample_id in dict.fromkeys(sample_ids)]
    known = set(session.scalars(sa.select(Sample.id).where(Sample.dataset_id == dataset_id)))
    missing = next((sample_id for sample_id in ids if sample_id not in known), None)
    if missing is not None:
        raise NotFoundError(f"There is no image {missing} in '{dataset.name}'.")
    made = Subset(
        owner_id=user_id, dataset_id=dataset_id, name=name, kind=kind, facts=dict(facts or {})
    )
    session.add(made)
    session.flush()
    columns = {part: [float(value) for value in values] for part, values in (scores or {}).items()}
    session.execute(
        sa.insert(SubsetSample),
        [
            {
                "subset_id": made.id,
                "rank": rank,
                "sample_id": sample_id,
                "scores": {
                    part: values[rank] if values[rank] == values[rank] else None  # no NaN in JSON
                    for part, values in columns.items()
                },
            }
            for rank, sample_id in enumerate(ids)
        ],
    )
    return made


def subsets_of(session: Session, user_id: int, dataset_id: int) -> list[SubsetSummary]:
    """Return the dataset's subsets, newest first. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    counted = (
        sa.select(
            SubsetSample.subset_id,
            sa.func.count().label("images"),
            sa.func.count(Sample.label).label("labeled"),
        )
        .join(Sample, Sample.id == SubsetSample.sample_id)
        .join(Subset, Subset.id == SubsetSample.subset_id)
        .where(Subset.dataset_id == dataset_id)
        .group_by(SubsetSample.subset_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(Subset, counted.c.images, counted.c.labeled)
        .outerjoin(counted, counted.c.subset_id == Subset.id)
        .where(Subset.dataset_id == dataset_id)
        .order_by(Subset.id.desc())
    )
    return [
        SubsetSummary(
            id=subset.id,
            dataset_id=subset.dataset_id,
            name=subset.name,
            kind=subset.kind,
            facts=subset.facts,
            images=images or 0,
            labeled=labeled or 0,
            created_at=subset.created_at,
        )
        for subset, images, labeled in rows
    ]


def subset_named(session: Session, user_id: int, dataset_id: int, name: str) -> Subset:
    """Return the dataset's subset with this name. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    query = sa.select(Subset).where(Subset.dataset_id == dataset_id, Subset.name == name)
    found = session.scalar(query)
    if found is None:
        raise NotFoundError(f"There is no selection called '{name}' in this dataset.")
    return found


def labeled_of(session: Session, subset: Subset) -> int:
    """Count the images of the subset that a run can train on: labeled images in the pool."""
    query = (
        sa.select(sa.func.count())
        .select_from(SubsetSample)
        .join(Sample, Sample.id == SubsetSample.sample_id)
        .where(SubsetSample.subset_id == subset.id, Sample.label.is_not(None))
        .where(*in_pool(subset.dataset_id))
    )
    return session.scalar(query) or 0


def subset_samples(
    session: Session, user_id: int, subset_id: int, *, offset: int = 0, limit: int | None = None
) -> list[tuple[SubsetSample, Sample]]:
    """Return a subset's images in rank order, with their scores. Raises NotFoundError."""
    visible(session, user_id, Subset, subset_id)
    query = (
        sa.select(SubsetSample, Sample)
        .join(Sample, Sample.id == SubsetSample.sample_id)
        .where(SubsetSample.subset_id == subset_id)
        .order_by(SubsetSample.rank)
        .offset(offset)
    )
    rows = session.execute(query if limit is None else query.limit(limit))
    return [(row.SubsetSample, row.Sample) for row in rows]


def delete_subset(session: Session, user_id: int, subset_id: int) -> None:
    """Delete a subset but not its images and labels.

    Raises
    ------
    InputError
        A run that has not ended trains on the subset.
    NotFoundError, NotAllowedError
        The user can't read or can't change the subset.
    """
    found = changeable(session, user_id, Subset, subset_id)
    under_way = sa.select(Run.id, Run.config, Run.state).where(
        Run.dataset_id == found.dataset_id, Run.state.not_in(ENDED)
    )
    for run_id, config, state in session.execute(under_way.order_by(Run.id)):
        if config.get("subset") == found.name:
            raise InputError(
                f"'{found.name}' can't be deleted: run {run_id} trains on it and is {state}. Wait "
                "for the run to finish, or cancel it first."
            )
    session.delete(found)
