"""Users: added, given a password, removed; and what they own, given to another.

Every function works inside a `Store.write()` session of the caller and commits nothing itself.
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
    """A user in a list; `logins` are open ones, in as many browsers."""

    id: int
    name: str
    can_log_in: bool
    datasets: int
    runs: int
    logins: int
    created_at: datetime


def add_user(session: Session, name: str, password: str) -> User:
    """A new user; a removed one of this name comes back, owning nothing.

    Raises InputError for a name that is taken or can't be one, or a password that can't be.
    """
    name = clean(name)
    if not name or len(name) > MAX_NAME:
        raise InputError(f"A user's name has 1 to {MAX_NAME} characters.")
    if name == LOCAL_OWNER or name.isdecimal():
        raise InputError(f"A user can't be called '{name}'. Choose another name.")
    # Compared here, as databases differ on capitals beyond ASCII. Older versions let in both.
    same = [one for one in session.scalars(sa.select(User)) if one.name.lower() == name.lower()]
    user = min(same, key=lambda one: (one.removed_at is not None, one.name != name), default=None)
    if user is not None and user.removed_at is None:
        raise InputError(f"There is a user called '{user.name}' already.")
    if user is None:
        user = User(name=name)
        session.add(user)
    user.password_hash = hash_password(password, name)
    user.removed_at = None
    session.flush()
    return user


def user_named(session: Session, name: str) -> User:
    """The user of this name. Raises NotFoundError, which lists who there is."""
    query = sa.select(User).where(User.removed_at.is_(None)).order_by(User.name)
    users = session.scalars(query).all()
    for user in users:
        if user.name == name.strip():
            return user
    known = ", ".join(f"'{user.name}'" for user in users) or "nobody"
    raise NotFoundError(f"There is no user called '{name}'. There are: {known}.")


def set_password(session: Session, name: str, password: str) -> User:
    """Give a user another password and end all their logins. Raises as `add_user`."""
    user = user_named(session, name)
    user.password_hash = hash_password(password, user.name)
    session.execute(sa.delete(Login).where(Login.user_id == user.id))
    return user


def list_users(session: Session) -> list[UserSummary]:
    """All users, by name; the local owner is who the command line acts as."""
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
    """Take a user's account away: no login works any more, nothing is shared with them.

    The row stays, without a password: labels say who gave them. Raises InputError for the local
    owner and while the user owns something, NotFoundError.
    """
    user = user_named(session, name)
    if user.name == LOCAL_OWNER:
        raise InputError("The local owner is who the command line acts as, and stays.")
    query = sa.select(Dataset.name).where(Dataset.owner_id == user.id).order_by(Dataset.name)
    names = session.scalars(query).all()
    waiting = sa.select(Import.name).where(Import.owner_id == user.id, Import.state.not_in(ENDED))
    if names or session.scalars(waiting.limit(1)).all():
        shown = ", ".join(f"'{one}'" for one in names[:5]) or "an import under way"
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise InputError(
            f"{user.name} owns {shown}{more}. Say what becomes of it: --give-to USER, or --delete."
        )
    session.execute(sa.delete(Login).where(Login.user_id == user.id))
    session.execute(sa.delete(Share).where(Share.user_id == user.id))
    user.password_hash, user.removed_at = None, now()
    return user


def transfer_all(session: Session, giver: User, receiver: User) -> int:
    """Make everything that one user owns another's; how many datasets that is.

    Who labelled what stays as it is. Raises InputError where both have a dataset of one name, or
    something is under way, whose worker asks as the giver.
    """
    if giver.id == receiver.id:
        raise InputError(f"'{giver.name}' has that already.")
    for job in (Import, Run, Task):
        waiting = sa.select(job.id).where(job.owner_id == giver.id, job.state.not_in(ENDED))
        busy = session.scalar(waiting.limit(1))
        if busy is not None:
            raise InputError(
                f"{job.__tablename__} {busy} of {giver.name} is under way: wait for its end, or "
                "cancel it first."
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
