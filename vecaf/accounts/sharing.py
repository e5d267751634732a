"""Share a dataset and its runs with another user, who can then read them.

Call every function here in a session of your own. None of them commits. `vecaf.store.authorization`
enforces the rules.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.accounts.users import user_named
from vecaf.errors import InputError, NotFoundError
from vecaf.store import Dataset, Share, User, changeable


def share(session: Session, user_id: int, dataset_id: int, name: str) -> User:
    """Let the user with this name read the dataset.

    Raises
    ------
    NotFoundError
        The dataset or the user does not exist.
    NotAllowedError
        `user_id` does not own the dataset.
    InputError
        The name is that of the dataset's owner.
    """
    dataset = changeable(session, user_id, Dataset, dataset_id)
    user = _named(session, name)
    if user.id == dataset.owner_id:
        raise InputError(f"You own '{dataset.name}'. Enter the name of another user.")
    if session.get(Share, (dataset_id, user.id)) is None:
        session.add(Share(dataset_id=dataset_id, user_id=user.id))
    return user


def unshare(session: Session, user_id: int, dataset_id: int, name: str) -> User:
    """Stop sharing the dataset with the user. Raises the errors of `share`."""
    dataset = changeable(session, user_id, Dataset, dataset_id)
    user = _named(session, name)
    found = session.get(Share, (dataset_id, user.id))
    if found is None:
        raise InputError(f"'{dataset.name}' is not shared with {user.name}.")
    session.delete(found)
    return user


def shared_with(session: Session, user_id: int, dataset_id: int) -> list[str]:
    """Return the users whom the owner shares the dataset with. Raises the errors of `share`."""
    changeable(session, user_id, Dataset, dataset_id)
    query = sa.select(User.name).join(Share, Share.user_id == User.id)
    return list(session.scalars(query.where(Share.dataset_id == dataset_id).order_by(User.name)))


def _named(session: Session, name: str) -> User:
    try:
        return user_named(session, name)
    except NotFoundError:  # hides the names of other users, which the error lists
        raise NotFoundError(f"There is no user called '{name}'. Check the spelling.") from None
