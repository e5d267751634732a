"""The one gate: a thing is asked for as somebody, and is either visible or does not exist."""

from __future__ import annotations

from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import NotFoundError
from vecaf.store.models import Dataset, Import, Run, Sample, Subset, Task

Owned = TypeVar("Owned", Dataset, Import, Run, Subset, Task)


def visible(session: Session, user_id: int, kind: type[Owned], thing_id: int) -> Owned:
    """The thing of this kind with this id, if this user may see it; else NotFoundError."""
    thing = session.get(kind, thing_id)
    if thing is None or thing.owner_id != user_id:
        raise NotFoundError(f"There is no {kind.__tablename__} {thing_id}.")
    return thing


def visible_sample(session: Session, user_id: int, sample_id: int) -> Sample:
    """The sample with this id, if its dataset is visible to this user; else NotFoundError."""
    sample = session.scalar(
        sa.select(Sample)
        .join(Dataset, Dataset.id == Sample.dataset_id)
        .where(Sample.id == sample_id, Dataset.owner_id == user_id)
    )
    if sample is None:
        raise NotFoundError(f"There is no image {sample_id}.")
    return sample


def dataset_named(session: Session, user_id: int, name: str) -> Dataset:
    """The user's dataset of this name (or numeric id); NotFoundError lists what exists."""
    query = sa.select(Dataset).where(Dataset.owner_id == user_id)
    found = session.scalar(query.where(Dataset.name == name))
    if found is None and name.isdecimal():
        found = session.scalar(query.where(Dataset.id == int(name)))
    if found is None:
        names = session.scalars(
            sa.select(Dataset.name).where(Dataset.owner_id == user_id).order_by(Dataset.name)
        ).all()
        known = f"There are: {', '.join(names)}." if names else "Import one first."
        raise NotFoundError(f"There is no dataset called '{name}'. {known}")
    return found
