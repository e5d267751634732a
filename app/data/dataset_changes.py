"""Changes that users make on the Data page: labels, captions, exclusions, classes, sharing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.orm import Session

from vecaf.accounts import sharing
from vecaf.datasets import edits
from vecaf.datasets.deletion import delete_dataset
from vecaf.datasets.edits import EditKind, Value
from vecaf.errors import InputError, NotFoundError
from vecaf.store import Dataset, Sample, changeable
from vecaf.store.gallery import UNLABELED, Filter, ids_of_images
from vecaf.store.samples import samples_by_id

from ..shell.address import parameters, whole
from ..shell.studio import Studio

CHECKBOX = "selected-"
"""Prefix of the name of an image's checkbox; the id of the image follows."""
PLACEHOLDER = re.compile(r"\{(?:class|file|caption)\}")
"""Placeholders in a caption for many images."""


def filter_of(values: Mapping[str, str]) -> Filter:
    """Return the filter that an address describes; invalid parts of it are ignored."""
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
    """Make the change `data["act"]` to the dataset that `data["query"]` names.

    Raises InputError, NotFoundError, NotAllowedError.
    """
    values = parameters(data.get("query", ""))
    dataset_id = whole(values, "dataset")
    if dataset_id is None:
        raise NotFoundError(
            "The address does not name a dataset. Open a dataset on the Data page first."
        )
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
                raise InputError(f"The class '{name.strip()}' already exists.")
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
    """Make one change to many images: the selected ones, or all that match the filter."""
    if data.get("scope") == "matching":
        ids = ids_of_images(session, user, dataset.id, which)
    else:
        ids = [int(name.removeprefix(CHECKBOX)) for name in data if _is_checkbox(name)]
    if not ids:
        raise InputError("Select at least one image first.")
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


def _is_checkbox(name: str) -> bool:
    number = name.removeprefix(CHECKBOX)
    return (
        name.startswith(CHECKBOX) and number.isascii() and number.isdecimal() and len(number) < 19
    )


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
    """Return `template` with its placeholders replaced once, so not inside inserted text."""
    known = {
        "{class}": "" if sample.label is None else classes[sample.label],
        "{file}": sample.file_name.rsplit("/", 1)[-1].rsplit(".", 1)[0],
        "{caption}": sample.caption or "",
    }
    return " ".join(PLACEHOLDER.sub(lambda found: known[found[0]], template).split())


def _value(dataset: Dataset, kind: str, text: str) -> Value:
    """Return the value that a field's text means; a label is the name of its class."""
    if kind == "excluded":
        return text == "yes"
    if kind == "label":
        if not text.strip():
            return None
        if text not in dataset.classes:
            raise InputError(f"There is no class '{text[:100]}'. Add it on the Classes tab first.")
        return dataset.classes.index(text)
    return text
