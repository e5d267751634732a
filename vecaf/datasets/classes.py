"""A dataset's classes: added at the end, renamed in place, each change recorded and undoable.

A label is an index into the classes, so neither touches a label. Every function works inside a
`Store.write()` session of the caller and commits nothing itself.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.datasets.names import MAX_NAME, clean
from vecaf.errors import InputError
from vecaf.store import Annotation, ClassChange, Dataset, Edit, Sample, changeable

KIND = "class"
"""`Edit.kind` of what is recorded here."""


def add_class(session: Session, user_id: int, dataset_id: int, name: str) -> int:
    """The index of the dataset's class of this name, appended where there is none yet.

    Raises InputError for a blank or overlong name, NotFoundError.
    """
    dataset = changeable(session, user_id, Dataset, dataset_id)
    cleaned = _checked(name)
    if cleaned in dataset.classes:
        return dataset.classes.index(cleaned)
    dataset.classes = [*dataset.classes, cleaned]  # a new list: JSON columns see no change within
    _record(session, user_id, dataset, len(dataset.classes) - 1, None)
    return len(dataset.classes) - 1


def rename_class(
    session: Session, user_id: int, dataset_id: int, number: int, name: str
) -> Edit | None:
    """Give a class another name; its index stays, and with it every label. None if it has it.

    Raises InputError for a name that is blank, overlong or another class's (to merge two classes,
    label the images of one as the other), or a class that does not exist; NotFoundError.
    """
    dataset = changeable(session, user_id, Dataset, dataset_id)
    if not 0 <= number < len(dataset.classes):
        raise InputError(f"'{dataset.name}' has no class number {number}.")
    cleaned, previous = _checked(name), dataset.classes[number]
    if cleaned == previous:
        return None
    if cleaned in dataset.classes:
        raise InputError(
            f"'{dataset.name}' has a class '{cleaned}' already. To merge the two, select the "
            f"images of '{previous}' and label them '{cleaned}'."
        )
    _set_name(session, dataset, number, cleaned)
    return _record(session, user_id, dataset, number, previous)


def undo_class(session: Session, dataset: Dataset, made: Edit) -> None:
    """Take back what an edit of kind "class" did. Raises InputError where that can't be."""
    change = session.get_one(ClassChange, made.id)
    names = dataset.classes
    if change.number >= len(names) or names[change.number] != change.value:
        raise InputError(f"The class '{change.value}' has been changed again since.")
    if change.previous is not None:
        if change.previous in names:
            raise InputError(f"There is another class called '{change.previous}' by now.")
        _set_name(session, dataset, change.number, change.previous)
        return
    if change.number != len(names) - 1:
        raise InputError(f"Classes were added after '{change.value}': take those back first.")
    in_use = sa.select(sa.func.count()).select_from(Sample)
    in_use = in_use.where(Sample.dataset_id == dataset.id, Sample.label == change.number)
    if count := session.scalar(in_use):
        raise InputError(f"{count:,} images are labelled '{change.value}': change them first.")
    dataset.classes = names[:-1]


def _checked(name: str) -> str:
    cleaned = clean(name)
    if not cleaned or len(cleaned) > MAX_NAME:
        raise InputError(f"Give the class a name of 1 to {MAX_NAME} characters.")
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
    """Rename a class, in the history of labels too: undo finds the class of a label by its name."""
    previous = dataset.classes[number]
    dataset.classes = [name if i == number else one for i, one in enumerate(dataset.classes)]
    mine = sa.select(Sample.id).where(Sample.dataset_id == dataset.id)
    for column in (Annotation.value, Annotation.previous):
        session.execute(
            sa.update(Annotation)
            .where(Annotation.kind == "label", column == previous, Annotation.sample_id.in_(mine))
            .values({column: name})
        )
