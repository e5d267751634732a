"""Change labels, captions and exclusions of images; each change is recorded and can be undone.

Call every function here in a `Store.write()` session. None of them commits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.datasets.classes import KIND, add_class, rename_class, undo_class
from vecaf.datasets.metadata import MAX_CAPTION
from vecaf.datasets.names import clean
from vecaf.errors import InputError, NotFoundError
from vecaf.store import (
    TRAIN,
    Annotation,
    Dataset,
    Edit,
    Sample,
    changeable,
    visible,
    visible_sample,
)

__all__ = [
    "Value", "add_class", "edit", "history", "last_edits", "rename_class", "undo",
]  # fmt: skip

EditKind = Literal["label", "caption", "excluded"]
Value = int | str | bool | None

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # can't be encoded as UTF-8
_IDS_PER_STATEMENT = 500


def edit(
    session: Session,
    user_id: int,
    dataset_id: int,
    kind: EditKind,
    values: Mapping[int, Value],
    *,
    run_id: int | None = None,
) -> Edit | None:
    """Set new values for samples of a dataset; return the edit, or None if nothing changed.

    Parameters
    ----------
    kind
        What to change.
    values
        Maps sample ids to new values: for labels a class index or None, for captions a text or
        None (a blank text counts as None), for exclusions a bool. Exclusions of images that are
        not in the train split are left out: they are not in the pool.
    run_id
        The run whose model chose the values; None if a person did.

    Raises
    ------
    NotFoundError
        The user can't read the dataset, or a sample is not in it.
    NotAllowedError
        The dataset is only shared with the user.
    InputError
        A label is not a class index, a caption is invalid or too long, or none of the images to
        exclude is in the train split.
    """
    dataset = changeable(session, user_id, Dataset, dataset_id)
    wanted = {sample_id: _checked(dataset, kind, value) for sample_id, value in values.items()}
    current = {sample.id: sample for sample in _samples(session, dataset_id, list(wanted))}
    missing = wanted.keys() - current.keys()
    if missing:
        raise NotFoundError(f"There is no image {min(missing)} in '{dataset.name}'.")
    if kind == "excluded":
        wanted = _in_pool(wanted, current)
    changed = {i: value for i, value in wanted.items() if getattr(current[i], kind) != value}
    if not changed:
        return None
    made = Edit(
        dataset_id=dataset_id, user_id=user_id, kind=kind, images=len(changed), run_id=run_id
    )
    session.add(made)
    session.flush()
    rows = [
        {
            "sample_id": sample_id,
            "user_id": user_id,
            "edit_id": made.id,
            "kind": kind,
            "value": _written(dataset, kind, value),
            "previous": _written(dataset, kind, getattr(current[sample_id], kind)),
        }
        for sample_id, value in changed.items()
    ]
    session.execute(sa.insert(Annotation), rows)
    for sample_id, value in changed.items():
        setattr(current[sample_id], kind, value)
    dataset.revision += 1
    return made


def undo(session: Session, user_id: int, edit_id: int) -> int:
    """Undo an edit: restore the previous values of its samples.

    Values that a later edit changed are not restored.

    Returns
    -------
    The number of samples restored.

    Raises
    ------
    NotFoundError, NotAllowedError
        The user can't read or can't change the dataset.
    InputError
        The edit is already undone, or the class of a label no longer exists.
    """
    made = session.get(Edit, edit_id)
    if made is None:
        raise NotFoundError(f"There is no change {edit_id}.")
    dataset = changeable(session, user_id, Dataset, made.dataset_id)
    if made.undone:
        raise InputError("This change is already undone.")
    if made.kind == KIND:
        undo_class(session, dataset, made)
        made.undone = True
        dataset.revision += 1
        return 0
    rows = session.scalars(sa.select(Annotation).where(Annotation.edit_id == edit_id)).all()
    by_sample = {row.sample_id: row for row in rows}
    unchanged = [
        sample
        for sample in _samples(session, dataset.id, list(by_sample))
        if _written(dataset, made.kind, getattr(sample, made.kind)) == by_sample[sample.id].value
    ]
    before = [_read(dataset, made.kind, by_sample[sample.id].previous) for sample in unchanged]
    for sample, value in zip(unchanged, before, strict=True):
        row = by_sample[sample.id]
        setattr(sample, made.kind, value)
        session.add(
            Annotation(
                sample_id=sample.id,
                user_id=user_id,
                kind=made.kind,
                value=row.previous,
                previous=row.value,
            )
        )
    made.undone = True
    dataset.revision += 1
    return len(unchanged)


def last_edits(session: Session, user_id: int, dataset_id: int, limit: int = 20) -> list[Edit]:
    """Return the newest edits of images, including undone ones. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    query = sa.select(Edit).where(Edit.dataset_id == dataset_id, Edit.kind != KIND)
    query = query.order_by(Edit.id.desc())
    return list(session.scalars(query.limit(limit)))


def history(session: Session, user_id: int, sample_id: int) -> list[Annotation]:
    """Return all changes of one sample, newest first. Raises NotFoundError."""
    visible_sample(session, user_id, sample_id)
    query = sa.select(Annotation).where(Annotation.sample_id == sample_id)
    return list(session.scalars(query.order_by(Annotation.id.desc())))


def _samples(session: Session, dataset_id: int, ids: Sequence[int]) -> Iterator[Sample]:
    for start in range(0, len(ids), _IDS_PER_STATEMENT):
        part = ids[start : start + _IDS_PER_STATEMENT]
        query = sa.select(Sample).where(Sample.dataset_id == dataset_id, Sample.id.in_(part))
        yield from session.scalars(query)


def _in_pool(wanted: dict[int, Value], current: Mapping[int, Sample]) -> dict[int, Value]:
    """Leave out the exclusions of images outside of the train split; refuse if none are left."""
    found = {i: value for i, value in wanted.items() if not value or current[i].split == TRAIN}
    if wanted and not found:
        raise InputError(
            "Only images of the train split can be excluded. To leave a validation or test image "
            "out of the accuracy, remove its label."
        )
    return found


def _checked(dataset: Dataset, kind: str, value: Value) -> Value:
    if kind == "excluded":
        return bool(value)
    if value is None:
        return None
    if kind == "label":
        if not isinstance(value, int) or not 0 <= value < len(dataset.classes):
            raise InputError(f"'{dataset.name}' has no class number {value}.")
        return value
    if _LONE_SURROGATE.search(str(value)):
        raise InputError(
            "The caption contains an incomplete character (a lone surrogate). Remove it, then save "
            "again."
        )
    text = clean(str(value))
    if len(text) > MAX_CAPTION:
        raise InputError(
            f"The caption has {len(text)} characters. Shorten it to at most {MAX_CAPTION}."
        )
    return text or None


def _written(dataset: Dataset, kind: str, value: Value) -> str | None:
    """Return a value as the history stores it: labels by class name, so that they stay valid."""
    if kind == "excluded":
        return "yes" if value else "no"
    if kind == "label" and isinstance(value, int):
        return dataset.classes[value]
    return None if value is None else str(value)


def _read(dataset: Dataset, kind: str, text: str | None) -> Value:
    if kind == "excluded":
        return text == "yes"
    if kind == "label" and text is not None:
        if text not in dataset.classes:
            raise InputError(f"The class '{text}' no longer exists. Add it again first.")
        return dataset.classes.index(text)
    return text
