"""Named queries on imports: uploads on their way to becoming datasets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import InputError
from vecaf.store.models import ENDED, Dataset, Import, now


def imports_in_progress(session: Session, user_id: int) -> Sequence[Import]:
    """The user's imports that have not ended, oldest first."""
    query = sa.select(Import).where(Import.owner_id == user_id, Import.state.not_in(ENDED))
    return session.scalars(query.order_by(Import.id)).all()


def recent_imports(
    session: Session, user_id: int, *, within: timedelta = timedelta(days=1), limit: int = 20
) -> Sequence[Import]:
    """The user's imports that are in progress or ended lately, newest first."""
    recently = sa.or_(Import.state.not_in(ENDED), Import.finished_at > now() - within)
    query = sa.select(Import).where(Import.owner_id == user_id, recently)
    return session.scalars(query.order_by(Import.id.desc()).limit(limit)).all()


def check_name_free(session: Session, user_id: int, name: str) -> None:
    """Raise InputError if a dataset has this name or an import is about to give it to one."""
    taken = session.scalar(
        sa.select(Dataset.id).where(Dataset.owner_id == user_id, Dataset.name == name)
    )
    if taken is not None:
        raise InputError(f"There is a dataset called '{name}' already. Choose another name.")
    coming = session.scalar(
        sa.select(Import.id).where(
            Import.owner_id == user_id, Import.name == name, Import.state.not_in(ENDED)
        )
    )
    if coming is not None:
        raise InputError(
            f"A dataset called '{name}' is being imported already. "
            "Wait for it, cancel it, or choose another name."
        )


def dataset_from(session: Session, job: Import) -> Dataset | None:
    """The dataset that this import has registered, if it got so far.

    An attempt that was killed between registering the dataset and saying so leaves one of its
    name, younger than the import; names are unique and checked when an import is submitted.
    """
    return session.scalar(
        sa.select(Dataset).where(
            Dataset.owner_id == job.owner_id,
            Dataset.name == job.name,
            Dataset.created_at >= job.created_at,
        )
    )
