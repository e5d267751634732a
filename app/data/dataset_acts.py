"""What the Data page changes: labels, captions, exclusions, classes, whole datasets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.orm import Session

from app.shell.address import parameters, whole
from app.shell.studio import Studio
from vecaf.accounts import sharing
from vecaf.datasets import edits
from vecaf.datasets.deletion import delete_dataset
from vecaf.datasets.edits import EditKind, Value
from vecaf.errors import InputError, NotFoundError
from vecaf.store import Dataset, Sample, changeable
from vecaf.store.gallery import UNLABELED, Filter, ids_of_images
from vecaf.store.samples import samples_by_id

PICK = "pick-"
"""The name of an image's checkbox begins with it, and ends with the image's id."""
PLACEHOLDER = re.compile(r"\{(?:class|file|caption)\}")
"""What a caption for many images may hold, to be filled in for each."""


def filter_of(values: Mapping[str, str]) -> Filter:
    """The filter that an address means; what makes no sense in it lets all through."""
    label = values.get("label", "")
    number = UNLABELED if label == "none" else int(label) if label.isdecimal() else None
    pool = {"in": False, "out": True}
    split = values.get("split")
    return Filter(
        split=split if split in ("train", "val", "test") else None,
        label=number if number is None or number < 10**6 else None,
        excluded=pool.get(values.get("pool", "")),
        words=values.get("words", "")[:200],
    )


def edit_dataset(studio: Studio, user: int, data: Mapping[str, str]) -> None:
    """Do what `data["act"]` says to the dataset that the address names.

    Raises InputError with a sentence, NotFoundError.
    """
    values = parameters(data.get("query", ""))
    dataset_id = whole(values, "dataset")
    if dataset_id is None:
        raise NotFoundError("The address names no dataset.")
    act = data.get("act", "")
    if act == "delete":
        delete_dataset(studio.store, user, dataset_id)
        return
    with studio.store.write() as session:
        dataset = changeable(session, user, Dataset, dataset_id)
        if act in ("label", "caption", "excluded"):
            sample_id = whole(dict(data), "sample") or 0
            value = _value(dataset, act, data.get("value", ""))
            edits.edit(session, user, dataset_id, act, {sample_id: value})  # type: ignore[arg-type]
        elif act == "bulk":
            _bulk(session, user, dataset, data, filter_of(values))
        elif act == "undo":
            edits.undo(session, user, whole(dict(data), "edit") or 0)
        elif act == "add-class":
            name = data.get("name", "")
            if name.strip() in dataset.classes:
                raise InputError(f"There is a class '{name.strip()}' already.")
            edits.add_class(session, user, dataset_id, name)
        elif act == "share":
            sharing.share(session, user, dataset_id, data.get("name", ""))
        elif act == "unshare":
            sharing.unshare(session, user, dataset_id, data.get("name", ""))
        elif act == "rename-class":
            number = whole(dict(data), "number")
            given = data.get("value", "")
            edits.rename_class(session, user, dataset_id, -1 if number is None else number, given)


def _bulk(
    session: Session, user: int, dataset: Dataset, data: Mapping[str, str], which: Filter
) -> None:
    """The same change of many images: the ticked ones, or all that the filter lets through."""
    if data.get("scope") == "matching":
        ids = ids_of_images(session, user, dataset.id, which)
    else:
        ids = [int(name.removeprefix(PICK)) for name in data if _is_pick(name)]
    if not ids:
        raise InputError("Choose at least one image first.")
    task = data.get("do", "")
    if task == "label":
        label = _value(dataset, "label", data.get("bulk-label", ""))
        _edit(session, user, dataset, "label", ids, lambda _: label)
    elif task == "caption":
        template = data.get("bulk-caption", "")
        found = samples_by_id(session, user, dataset.id, ids)
        texts = {key: filled(template, one, dataset.classes) for key, one in found.items()}
        _edit(session, user, dataset, "caption", ids, lambda sample_id: texts.get(sample_id, ""))
    elif task in ("exclude", "include"):
        _edit(session, user, dataset, "excluded", ids, lambda _: task == "exclude")


def _is_pick(name: str) -> bool:
    number = name.removeprefix(PICK)
    return name.startswith(PICK) and number.isascii() and number.isdecimal() and len(number) < 19


def _edit(
    session: Session,
    user: int,
    dataset: Dataset,
    kind: EditKind,
    ids: list[int],
    value: Callable[[int], Value],
) -> None:
    edits.edit(session, user, dataset.id, kind, {sample_id: value(sample_id) for sample_id in ids})


def filled(template: str, sample: Sample, classes: Sequence[str]) -> str:
    """`template` with its placeholders filled, once: what is filled in is not looked at again."""
    known = {
        "{class}": "" if sample.label is None else classes[sample.label],
        "{file}": sample.file_name.rsplit("/", 1)[-1].rsplit(".", 1)[0],
        "{caption}": sample.caption or "",
    }
    return " ".join(PLACEHOLDER.sub(lambda found: known[found[0]], template).split())


def _value(dataset: Dataset, kind: str, text: str) -> Value:
    """A field's text as the value it means; a label is given by its class's name."""
    if kind == "excluded":
        return text == "yes"
    if kind == "label":
        if not text.strip():
            return None
        if text not in dataset.classes:
            raise InputError(f"There is no class '{text[:100]}'. Add it under Classes first.")
        return dataset.classes.index(text)
    return text
