"""Queries on a dataset's images: filter, count and page through them, and read their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.authorization import visible, visible_sample
from vecaf.store.models import Annotation, ClassChange, Dataset, Edit, Sample, User
from vecaf.store.samples import contains_words

UNLABELED = -1


@dataclass(frozen=True)
class Filter:
    """A filter on images; a field that is None matches all.

    `label` is a class index or UNLABELED. Each of `words` must occur in the caption or file name.
    """

    split: str | None = None
    label: int | None = None
    excluded: bool | None = None
    words: str = ""

    def conditions(self, dataset_id: int) -> list[sa.ColumnElement[bool]]:
        """Return the filter as WHERE conditions."""
        found: list[sa.ColumnElement[bool]] = [Sample.dataset_id == dataset_id]
        if self.split is not None:
            found.append(Sample.split == self.split)
        if self.label is not None:
            unlabeled = self.label == UNLABELED
            found.append(Sample.label.is_(None) if unlabeled else Sample.label == self.label)
        if self.excluded is not None:
            found.append(Sample.excluded.is_(self.excluded))
        return found + contains_words(self.words)


def count_images(session: Session, user_id: int, dataset_id: int, which: Filter) -> int:
    """Count the images that match the filter. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    query = sa.select(sa.func.count()).select_from(Sample).where(*which.conditions(dataset_id))
    return session.scalar(query) or 0


def page_of_images(
    session: Session, user_id: int, dataset_id: int, which: Filter, offset: int, limit: int
) -> list[Sample]:
    """Return one page of the images that match the filter, in id order. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    query = sa.select(Sample).where(*which.conditions(dataset_id)).order_by(Sample.id)
    return list(session.scalars(query.offset(offset).limit(limit)))


def ids_of_images(session: Session, user_id: int, dataset_id: int, which: Filter) -> list[int]:
    """Return the ids of all images that match the filter, ascending. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    query = sa.select(Sample.id).where(*which.conditions(dataset_id)).order_by(Sample.id)
    return list(session.scalars(query))


@dataclass(frozen=True)
class Change:
    """An edit in the history; `value` and `previous` are None if they differ between images."""

    id: int
    kind: str  # label, caption, excluded or class
    images: int
    undone: bool
    by: str
    at: datetime
    value: str | None
    previous: str | None
    values: int  # distinct new values


def changes_of(session: Session, user_id: int, dataset_id: int, *, limit: int = 50) -> list[Change]:
    """Return the newest edits of a dataset's images and classes. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    edits = session.execute(
        sa.select(Edit, User.name)
        .join(User, User.id == Edit.user_id)
        .where(Edit.dataset_id == dataset_id)
        .order_by(Edit.id.desc())
        .limit(limit)
    ).all()
    ids = [row.Edit.id for row in edits]
    spans = _spans(session, ids)
    of_classes = sa.select(ClassChange).where(ClassChange.edit_id.in_(ids))
    spans |= {one.edit_id: (one.value, one.previous, 1) for one in session.scalars(of_classes)}
    found = []
    for edit, by in edits:
        value, previous, values = spans.get(edit.id, (None, None, 0))
        found.append(
            Change(
                edit.id, edit.kind, edit.images, edit.undone, _author(by, edit.run_id),
                edit.created_at,
                value, previous, values,
            )
        )  # fmt: skip
    return found


def _spans(
    session: Session, edit_ids: Sequence[int]
) -> dict[int, tuple[str | None, str | None, int]]:
    """Map each edit to (new value, old value, number of distinct new values).

    A value is None if it differs between the edit's images.
    """
    query = (
        sa.select(
            Annotation.edit_id,
            sa.func.min(Annotation.value),
            sa.func.min(Annotation.previous),
            sa.func.count(sa.distinct(sa.func.coalesce(Annotation.value, ""))),
            sa.func.count(sa.distinct(sa.func.coalesce(Annotation.previous, ""))),
        )
        .where(Annotation.edit_id.in_(edit_ids))
        .group_by(Annotation.edit_id)
    )
    return {
        edit_id: (value if values == 1 else None, previous if before == 1 else None, values)
        for edit_id, value, previous, values, before in session.execute(query)
        if edit_id is not None
    }


@dataclass(frozen=True)
class ImageChange:
    """One change in an image's history."""

    kind: str
    value: str | None
    previous: str | None
    by: str
    at: datetime


def history_of_image(session: Session, user_id: int, sample_id: int) -> list[ImageChange]:
    """Return the changes of an image, newest first. Raises NotFoundError."""
    visible_sample(session, user_id, sample_id)
    query = (
        sa.select(Annotation, User.name, Edit.run_id)
        .join(User, User.id == Annotation.user_id)
        .outerjoin(Edit, Edit.id == Annotation.edit_id)
        .where(Annotation.sample_id == sample_id)
        .order_by(Annotation.id.desc())
    )
    return [
        ImageChange(one.kind, one.value, one.previous, _author(by, run_id), one.created_at)
        for one, by, run_id in session.execute(query)
    ]


def _author(user: str, run_id: int | None) -> str:
    return user if run_id is None else f"model of run {run_id}"
