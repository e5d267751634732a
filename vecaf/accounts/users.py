"""Add, list and remove users, set passwords, and transfer what a user owns.

Call every function here in a `Store.write()` session. None of them commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.accounts.passwords import hash_password
from vecaf.datasets.names import clean
from vecaf.errors import InputError, NotFoundError
from vecaf.store import ENDED, Dataset, Import, Login, Run, Share, Subset, Task, User
from vecaf.store.database import LOCAL_OWNER
from vecaf.store.models import now

MAX_NAME = 100
OWNED = (Dataset, Run, Subset, Task, Import)


@dataclass(frozen=True)
class UserSummary:
    """A user in a list; `logins` counts the browsers in which they are logged in."""

    id: int
    name: str
    can_log_in: bool
    datasets: int
    runs: int
    logins: int
    created_at: datetime


def add_user(session: Session, name: str, password: str) -> User:
    """Add a user, or restore a removed user with this name, who then owns nothing.

    Raises InputError if the name is taken or invalid, or the password is invalid.
    """
    name = clean(name)
    if not name or len(name) > MAX_NAME:
        raise InputError(f"The user's name must have 1 to {MAX_NAME} characters.")
    if name == LOCAL_OWNER or name.isdecimal():
        raise InputError(f"The name '{name}' is reserved. Choose another name.")
    # Compared in Python, since databases differ in the case of non-ASCII letters. Older versions of
    # the studio allowed names that differ only in case.
    same = [one for one in session.scalars(sa.select(User)) if one.name.lower() == name.lower()]
    user = min(same, key=lambda one: (one.removed_at is not None, one.name != name), default=None)
    if user is not None and user.removed_at is None:
        raise InputError(f"There is already a user called '{user.name}'. Choose another name.")
    if user is None:
        user = User(name=name)
        session.add(user)
    user.password_hash = hash_password(password, name)
    user.removed_at = None
    session.flush()
    return user


def user_named(session: Session, name: str) -> User:
    """Return the user with this name. Raises NotFoundError, whose message lists all users."""
    query = sa.select(User).where(User.removed_at.is_(None)).order_by(User.name)
    users = session.scalars(query).all()
    for user in users:
        if user.name == name.strip():
            return user
    known = ", ".join(f"'{user.name}'" for user in users) or "none"
    raise NotFoundError(f"There is no user called '{name}'. Users: {known}.")


def set_password(session: Session, name: str, password: str) -> User:
    """Set a user's password and log them out everywhere.

    Raises NotFoundError for an unknown name, InputError for an invalid password.
    """
    user = user_named(session, name)
    user.password_hash = hash_password(password, user.name)
    session.execute(sa.delete(Login).where(Login.user_id == user.id))
    return user


def list_users(session: Session) -> list[UserSummary]:
    """Return all users, sorted by name, including the local owner."""
    counts = [
        sa.select(sa.func.count()).where(column == User.id).scalar_subquery()
        for column in (Dataset.owner_id, Run.owner_id, Login.user_id)
    ]
    query = sa.select(User, *counts).where(User.removed_at.is_(None)).order_by(User.name)
    return [
        UserSummary(
            id=user.id,
            name=user.name,
            can_log_in=user.password_hash is not None,
            datasets=datasets or 0,
            runs=runs or 0,
            logins=logins or 0,
            created_at=user.created_at,
        )
        for user, datasets, runs, logins in session.execute(query)
    ]


def remove_user(session: Session, name: str) -> User:
    """Remove a user: end their logins and stop sharing datasets with them.

    The row stays, without a password, since labels refer to it.

    Raises
    ------
    InputError
        The user is the local owner, or still owns datasets or imports.
    NotFoundError
        There is no user with this name.
    """
    user = user_named(session, name)
    if user.name == LOCAL_OWNER:
        raise InputError("The local owner can't be removed: the command line runs as this user.")
    query = sa.select(Dataset.name).where(Dataset.owner_id == user.id).order_by(Dataset.name)
    names = session.scalars(query).all()
    waiting = sa.select(Import.name).where(Import.owner_id == user.id, Import.state.not_in(ENDED))
    if names or session.scalars(waiting.limit(1)).all():
        shown = ", ".join(f"'{one}'" for one in names[:5]) or "an unfinished import"
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise InputError(
            f"{user.name} owns {shown}{more}. Transfer it with --give-to USER, or delete it with "
            "--delete."
        )
    session.execute(sa.delete(Login).where(Login.user_id == user.id))
    session.execute(sa.delete(Share).where(Share.user_id == user.id))
    user.password_hash, user.removed_at = None, now()
    return user


def transfer_all(session: Session, giver: User, receiver: User) -> int:
    """Transfer everything that one user owns to another; return the number of datasets.

    The history still names the user who assigned each label.

    Raises
    ------
    InputError
        Both users have a dataset with the same name, or a job of the giver has not ended.
    """
    if giver.id == receiver.id:
        raise InputError(f"'{giver.name}' already owns this. Name another user.")
    for job in (Import, Run, Task):
        waiting = sa.select(job.id).where(job.owner_id == giver.id, job.state.not_in(ENDED))
        busy = session.scalar(waiting.limit(1))
        if busy is not None:
            raise InputError(
                f"{job.__tablename__.capitalize()} {busy} of {giver.name} has not ended. Wait for "
                "it to finish, or cancel it first."
            )
    mine = sa.select(Dataset.name).where(Dataset.owner_id == giver.id)
    theirs = set(session.scalars(sa.select(Dataset.name).where(Dataset.owner_id == receiver.id)))
    names = session.scalars(mine).all()
    both = sorted(theirs.intersection(names))
    if both:
        raise InputError(
            f"{giver.name} and {receiver.name} both have a dataset called '{both[0]}'. Delete one "
            "of them first."
        )
    for kind in OWNED:
        session.execute(
            sa.update(kind).where(kind.owner_id == giver.id).values(owner_id=receiver.id)
        )
    own = sa.select(Dataset.id).where(Dataset.owner_id == receiver.id)
    session.execute(sa.delete(Share).where(Share.user_id == receiver.id, Share.dataset_id.in_(own)))
    return len(names)
