"""Add and rename a dataset's classes; each change is recorded and can be undone.

A label is an index into the classes. New classes are appended, so no change affects a label. Call
every function here in a `Store.write()` session. None of them commits.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.datasets.names import MAX_NAME, clean
from vecaf.errors import InputError
from vecaf.store import Annotation, ClassChange, Dataset, Edit, Sample, changeable
from vecaf.wording import plural

KIND = "class"
"""`Edit.kind` of a change of classes."""


def add_class(session: Session, user_id: int, dataset_id: int, name: str) -> int:
    """Return the index of the class with this name; add the class if it does not exist.

    Raises InputError for a blank or too long name, NotFoundError, NotAllowedError.
    """
    dataset = changeable(session, user_id, Dataset, dataset_id)
    cleaned = _checked(name)
    if cleaned in dataset.classes:
        return dataset.classes.index(cleaned)
    dataset.classes = [
        *dataset.classes,
        cleaned,
    ]  # SQLAlchemy ignores changes in a list
    _record(session, user_id, dataset, len(dataset.classes) - 1, None)
    return len(dataset.classes) - 1


def rename_class(
    session: Session, user_id: int, dataset_id: int, number: int, name: str
) -> Edit | None:
    """Rename a class; its index and all labels stay. Return None if it already has the name.

    Raises
    ------
    InputError
        The name is blank, too long or that of another class, or there is no class `number`.
    NotFoundError, NotAllowedError
        The user can't read or can't change the dataset.
    """
    dataset = changeable(session, user_id, Dataset, dataset_id)
    if not 0 <= number < len(dataset.classes):
        raise InputError(f"'{dataset.name}' has no class number {number}.")
    cleaned, previous = _checked(name), dataset.classes[number]
    if cleaned == previous:
        return None
    if cleaned in dataset.classes:
        raise InputError(
            f"'{dataset.name}' already has a class '{cleaned}'. To merge the two classes, select "
            f"the images of '{previous}' and label them '{cleaned}'."
        )
    _set_name(session, dataset, number, cleaned)
    return _record(session, user_id, dataset, number, previous)


def undo_class(session: Session, dataset: Dataset, made: Edit) -> None:
    """Undo an edit of kind "class". Raises InputError if later changes make that impossible."""
    change = session.get_one(ClassChange, made.id)
    names = dataset.classes
    if change.number >= len(names) or names[change.number] != change.value:
        raise InputError(
            f"This change can't be undone: the class '{change.value}' was changed again. Undo the "
            "later change first."
        )
    if change.previous is not None:
        if change.previous in names:
            raise InputError(
                f"This change can't be undone: another class is now called '{change.previous}'. "
                "Rename that class first."
            )
        _set_name(session, dataset, change.number, change.previous)
        return
    if change.number != len(names) - 1:
        raise InputError(
            f"This change can't be undone: classes were added after '{change.value}'. Undo those "
            "changes first."
        )
    in_use = sa.select(sa.func.count()).select_from(Sample)
    in_use = in_use.where(Sample.dataset_id == dataset.id, Sample.label == change.number)
    if count := session.scalar(in_use):
        raise InputError(
            f"This change can't be undone: {plural(count, 'image has', 'images have')} the label "
            f"'{change.value}'. Change those labels first."
        )
    dataset.classes = names[:-1]


def _checked(name: str) -> str:
    cleaned = clean(name)
    if not cleaned or len(cleaned) > MAX_NAME:
        raise InputError(f"The name of a class must have 1 to {MAX_NAME} characters.")
    return cleaned


def _record(
    session: Session, user_id: int, dataset: Dataset, number: int, previous: str | None
) -> Edit:
    made = Edit(dataset_id=dataset.id, user_id=user_id, kind=KIND, images=0)
    session.add(made)
    session.flush()
    value = dataset.classes[number]
    session.add(ClassChange(edit_id=made.id, number=number, value=value, previous=previous))
    dataset.revision += 1
    return made


def _set_name(session: Session, dataset: Dataset, number: int, name: str) -> None:
    """Rename a class, also in the history of labels, where undo looks classes up by name."""
    previous = dataset.classes[number]
    dataset.classes = [name if i == number else one for i, one in enumerate(dataset.classes)]
    mine = sa.select(Sample.id).where(Sample.dataset_id == dataset.id)
    for column in (Annotation.value, Annotation.previous):
        session.execute(
            sa.update(Annotation)
            .where(Annotation.kind == "label", column == previous, Annotation.sample_id.in_(mine))
            .values({column: name})
        )
