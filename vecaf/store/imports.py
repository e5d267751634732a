"""Queries on imports, the jobs that turn uploads into datasets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import InputError
from vecaf.store.models import ENDED, Dataset, Import, now


def recent_imports(
    session: Session, user_id: int, *, within: timedelta = timedelta(days=1), limit: int = 20
) -> Sequence[Import]:
    """Return the user's imports that have not ended or ended recently, newest first."""
    recently = sa.or_(Import.state.not_in(ENDED), Import.finished_at > now() - within)
    query = sa.select(Import).where(Import.owner_id == user_id, recently)
    return session.scalars(query.order_by(Import.id.desc()).limit(limit)).all()


def taken_names(session: Session, user_id: int) -> set[str]:
    """Return the names of a user's datasets and of the datasets being imported."""
    datasets = sa.select(Dataset.name).where(Dataset.owner_id == user_id)
    coming = sa.select(Import.name).where(Import.owner_id == user_id, Import.state.not_in(ENDED))
    return {*session.scalars(datasets), *session.scalars(coming)}


def check_name_free(
    session: Session, user_id: int, name: str, import_id: int | None = None
) -> None:
    """Raise InputError if a dataset, or one that is being imported, has this name.

    Parameters
    ----------
    import_id
        An import to ignore: the one that checks its own name.
    """
    taken = session.scalar(
        sa.select(Dataset.id).where(Dataset.owner_id == user_id, Dataset.name == name)
    )
    if taken is not None:
        raise InputError(f"You already have a dataset called '{name}'. Choose another name.")
    coming = sa.select(Import.id).where(
        Import.owner_id == user_id, Import.name == name, Import.state.not_in(ENDED)
    )
    if set(session.scalars(coming)) - {import_id}:
        raise InputError(
            f"A dataset called '{name}' is already being imported. "
            "Wait for it to finish, cancel it, or choose another name."
        )
