"""Authorization: which users can read and change which objects.

Users can read (`visible`, `readable`) their own objects, the datasets shared with them, and the
runs, subsets and tasks on those datasets. They can change (`changeable`) only their own objects.
Everything on a dataset therefore belongs to the dataset's owner.
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

MAX_ID_DIGITS = 18  # a database can't store a longer id

Owned = TypeVar("Owned", Dataset, Import, Run, Subset, Task)
NAMES = {Dataset: "dataset", Import: "import", Run: "run", Subset: "saved selection", Task: "task"}


def visible(session: Session, user_id: int, kind: type[Owned], thing_id: int) -> Owned:
    """Return the object with this id if the user can read it.

    Raises
    ------
    NotFoundError
        The object does not exist, or the user can't read it.
    """
    thing = session.get(kind, thing_id)
    if thing is None or not (thing.owner_id == user_id or _shared(session, user_id, thing)):
        raise NotFoundError(f"There is no {NAMES[kind]} {thing_id}.")
    return thing


def changeable(session: Session, user_id: int, kind: type[Owned], thing_id: int) -> Owned:
    """Return the object with this id if the user owns it.

    Raises
    ------
    NotFoundError
        The object does not exist, or the user can't read it.
    NotAllowedError
        The object is shared with the user, who can read it but not change it.
    """
    thing = visible(session, user_id, kind, thing_id)
    if thing.owner_id != user_id:
        owner = session.get_one(User, thing.owner_id).name
        raise NotAllowedError(
            f"{owner} shares this with you. You can view and copy it, but only {owner} can change "
            "it or start runs and tasks on it."
        )
    return thing


def check_model_files(session: Session, user_id: int, settings: Mapping[str, object]) -> None:
    """Raise NotAllowedError if a model setting names a file and the user is not the local owner.

    The file (NAME@FILE) could be another user's model, or any file that the studio can read.
    """
    if not any("@" in str(settings.get(name, "")) for name in ("model", "vlm")):
        return
    if session.get_one(User, user_id).name != LOCAL_OWNER:
        raise NotAllowedError(
            "With an account, you can't use model files on the server (NAME@FILE). Choose a model "
            "from the list or from the hub."
        )


def readable(kind: type[Owned], user_id: int) -> sa.ColumnElement[bool]:
    """Return `visible` as a WHERE condition on a query for objects of this kind."""
    own = kind.owner_id == user_id
    if issubclass(kind, Import):
        return own
    dataset = kind.id if issubclass(kind, Dataset) else kind.dataset_id
    shared = sa.select(Share.dataset_id).where(Share.user_id == user_id)
    return sa.or_(own, dataset.in_(shared))


def visible_sample(session: Session, user_id: int, sample_id: int) -> Sample:
    """Return the sample with this id if the user can read its dataset, else raise NotFoundError."""
    sample = session.scalar(
        sa.select(Sample)
        .join(Dataset, Dataset.id == Sample.dataset_id)
        .where(Sample.id == sample_id, readable(Dataset, user_id))
    )
    if sample is None:
        raise NotFoundError(f"There is no image {sample_id}.")
    return sample


def dataset_named(session: Session, user_id: int, name: str) -> Dataset:
    """Return the dataset with this name or numeric id; the user's own datasets come first.

    Raises
    ------
    NotFoundError
        The user can read no such dataset. The message lists the datasets that they can read.
    """
    name = UNSTORABLE.sub("\ufffd", name)
    query = sa.select(Dataset).where(readable(Dataset, user_id))
    query = query.order_by((Dataset.owner_id == user_id).desc(), Dataset.id.desc()).limit(1)
    found = session.scalar(query.where(Dataset.name == name))
    if found is None and name.isdecimal() and len(name) <= MAX_ID_DIGITS:
        found = session.scalar(query.where(Dataset.id == int(name)))
    if found is None:
        names = session.scalars(
            sa.select(Dataset.name).where(readable(Dataset, user_id)).order_by(Dataset.name)
        ).all()
        known = f"Your datasets: {', '.join(names)}." if names else "Import a dataset first."
        raise NotFoundError(f"There is no dataset called '{name}'. {known}")
    return found


def _shared(session: Session, user_id: int, thing: Dataset | Import | Run | Subset | Task) -> bool:
    if isinstance(thing, Import):
        return False
    dataset_id = thing.id if isinstance(thing, Dataset) else thing.dataset_id
    return session.get(Share, (dataset_id, user_id)) is not None
