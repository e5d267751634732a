"""Sharing a dataset, with its runs, with a named user, who may read it (vecaf.store.authorization).

Every function works inside a session of the caller and commits nothing itself.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.accounts.users import user_named
from vecaf.errors import InputError, NotFoundError
from vecaf.store import Dataset, Share, User, changeable


def share(session: Session, user_id: int, dataset_id: int, name: str) -> User:
    """Let the user of this name read the dataset; nothing changes where they may already.

    Raises NotFoundError for the dataset or the name, NotAllowedError where the asker is not the
    owner, InputError for the owner's own name.
    """
    dataset = changeable(session, user_id, Dataset, dataset_id)
    user = _named(session, name)
    if user.id == dataset.owner_id:
        raise InputError(f"'{dataset.name}' is yours already.")
    if session.get(Share, (dataset_id, user.id)) is None:
        session.add(Share(dataset_id=dataset_id, user_id=user.id))
    return user


def unshare(session: Session, user_id: int, dataset_id: int, name: str) -> User:
    """End it: the user sees nothing of the dataset from now on. Raises as `share`."""
    dataset = changeable(session, user_id, Dataset, dataset_id)
    user = _named(session, name)
    found = session.get(Share, (dataset_id, user.id))
    if found is None:
        raise InputError(f"'{dataset.name}' is not shared with {user.name}.")
    session.delete(found)
    return user


def shared_with(session: Session, user_id: int, dataset_id: int) -> list[str]:
    """The names of those who may read the dataset besides its owner. Raises as `share`."""
    changeable(session, user_id, Dataset, dataset_id)
    query = sa.select(User.name).join(Share, Share.user_id == User.id)
    return list(session.scalars(query.where(Share.dataset_id == dataset_id).order_by(User.name)))


def _named(session: Session, name: str) -> User:
    try:
        return user_named(session, name)
    except NotFoundError:  # who has an account is for the person at the machine to list
        raise NotFoundError(f"There is no user called '{name}'.") from None
