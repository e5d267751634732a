"""The one gate: a thing is asked for as somebody, and is either visible or does not exist.

Reading (`visible`, `readable`): a user's own things, and datasets that their owners share with
them, with the runs, selections and tasks on these. Changing (`changeable`): one's own alone. So
everything on a dataset belongs to the dataset's owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import NotAllowedError, NotFoundError
from vecaf.options import UNSTORABLE
from vecaf.store.database import LOCAL_OWNER
from vecaf.store.models import Dataset, Import, Run, Sample, Share, Subset, Task, User

MOST_DIGITS = 18  # of an id: more than that a database can't take for one

Owned = TypeVar("Owned", Dataset, Import, Run, Subset, Task)


def visible(session: Session, user_id: int, kind: type[Owned], thing_id: int) -> Owned:
    """The thing of this kind with this id, if this user may see it; else NotFoundError."""
    thing = session.get(kind, thing_id)
    if thing is None or not (thing.owner_id == user_id or _shared(session, user_id, thing)):
        raise NotFoundError(f"There is no {kind.__tablename__} {thing_id}.")
    return thing


def changeable(session: Session, user_id: int, kind: type[Owned], thing_id: int) -> Owned:
    """The thing, if this user may change it: its owner.

    Raises NotFoundError as `visible` does, NotAllowedError for what is shared with the user.
    """
    thing = visible(session, user_id, kind, thing_id)
    if thing.owner_id != user_id:
        owner = session.get_one(User, thing.owner_id).name
        raise NotAllowedError(
            f"This is shared with you by {owner}: you can look at it and take copies, but only "
            f"{owner} can change it or run something on it."
        )
    return thing


def check_model_files(session: Session, user_id: int, settings: Mapping[str, object]) -> None:
    """Raise NotAllowedError where a model's setting names a file (NAME@FILE) and the user is not
    the local owner: it could be another user's model, or anything that the studio can read."""
    if not any("@" in str(settings.get(name, "")) for name in ("model", "vlm")):
        return
    if session.get_one(User, user_id).name != LOCAL_OWNER:
        raise NotAllowedError(
            "A model that is a file of this machine is for the local owner to use, from the "
            "command line. Name a model of the list, or of the hub."
        )


def readable(kind: type[Owned], user_id: int) -> sa.ColumnElement[bool]:
    """`visible` as a condition of a query on things of this kind."""
    own = kind.owner_id == user_id
    if issubclass(kind, Import):
        return own
    dataset = kind.id if issubclass(kind, Dataset) else kind.dataset_id
    shared = sa.select(Share.dataset_id).where(Share.user_id == user_id)
    return sa.or_(own, dataset.in_(shared))


def visible_sample(session: Session, user_id: int, sample_id: int) -> Sample:
    """The sample with this id, if its dataset is visible to this user; else NotFoundError."""
    sample = session.scalar(
        sa.select(Sample)
        .join(Dataset, Dataset.id == Sample.dataset_id)
        .where(Sample.id == sample_id, readable(Dataset, user_id))
    )
    if sample is None:
        raise NotFoundError(f"There is no image {sample_id}.")
    return sample


def dataset_named(session: Session, user_id: int, name: str) -> Dataset:
    """The dataset of this name (or numeric id) that the user can see, their own first.

    NotFoundError lists what exists.
    """
    name = UNSTORABLE.sub("\ufffd", name)
    query = sa.select(Dataset).where(readable(Dataset, user_id))
    query = query.order_by((Dataset.owner_id == user_id).desc(), Dataset.id.desc()).limit(1)
    found = session.scalar(query.where(Dataset.name == name))
    if found is None and name.isdecimal() and len(name) <= MOST_DIGITS:
        found = session.scalar(query.where(Dataset.id == int(name)))
    if found is None:
        names = session.scalars(
            sa.select(Dataset.name).where(readable(Dataset, user_id)).order_by(Dataset.name)
        ).all()
        known = f"There are: {', '.join(names)}." if names else "Import one first."
        raise NotFoundError(f"There is no dataset called '{name}'. {known}")
    return found


def _shared(session: Session, user_id: int, thing: Dataset | Import | Run | Subset | Task) -> bool:
    if isinstance(thing, Import):
        return False
    dataset_id = thing.id if isinstance(thing, Dataset) else thing.dataset_id
    return session.get(Share, (dataset_id, user_id)) is not None
