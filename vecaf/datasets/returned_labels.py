"""Apply the labels in a Label Studio export to the images that an export of the studio named."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import NamedTuple

from vecaf.datasets.edits import edit
from vecaf.datasets.formats.label_studio import choice_of, is_label_studio
from vecaf.datasets.formats.placing import only
from vecaf.datasets.metadata import MultiLabelError, label_text
from vecaf.datasets.writers.label_studio import SAMPLE_ID
from vecaf.errors import InputError
from vecaf.store import Dataset, Store, changeable


class ReturnedLabels(NamedTuple):
    """The number of images that have a choice in the export, and of those without one."""

    labeled: int
    skipped: int


def apply_label_studio(
    store: Store,
    user_id: int,
    dataset_id: int,
    content: bytes,
    name: str,
    within: Collection[int] | None = None,
) -> ReturnedLabels:
    """Set the labels of images from an export of Label Studio, in one step that can be undone.

    Each task has the sample id that the studio wrote into the project.

    Parameters
    ----------
    content
        The JSON file.
    name
        Its name, for messages.
    within
        The ids of the images that may be labeled; None for all images of the dataset.

    Raises
    ------
    InputError
        The file is not such an export, it has a class that the dataset does not have, or an image
        is not among `within`.
    NotFoundError
        The user can't read the dataset, or an image is not in it.
    NotAllowedError
        The dataset is only shared with the user.
    """
    choices = _choices(content, name)
    outside = set() if within is None else choices.keys() - set(within)
    if outside:
        raise InputError(
            f"{name} has image {min(outside)}, which is not in this selection. Upload the export "
            "of the project that was made from this selection."
        )
    with store.write() as session:
        classes = list(changeable(session, user_id, Dataset, dataset_id).classes)
        unknown = sorted({label for label in choices.values() if label} - set(classes))
        if unknown:
            raise InputError(
                f"{name} has a class that the dataset does not have: '{unknown[0][:100]}'. "
                "Add the class on the Classes tab of the dataset, then try again."
            )
        labels = {key: classes.index(label) for key, label in choices.items() if label}
        edit(session, user_id, dataset_id, "label", labels)
    return ReturnedLabels(len(labels), len(choices) - len(labels))


def _choices(content: bytes, name: str) -> dict[int, str | None]:
    """Return the choice of each image by sample id; None if it has none."""
    try:
        tasks = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not valid JSON ({error}). Export it again.") from error
    if not is_label_studio(tasks):
        raise InputError(f"{name} is not a Label Studio export. Export the project as JSON.")
    found: dict[int, str | None] = {}
    for number, task in enumerate(tasks, start=1):
        data = task.get("data", task) if isinstance(task, dict) else {}
        sample_id = data.get(SAMPLE_ID) if isinstance(data, dict) else None
        if not isinstance(sample_id, int):
            raise InputError(
                f"Task {number} in {name} has no '{SAMPLE_ID}'. Create the project from "
                "the files that the studio exports for Label Studio, then export it again."
            )
        try:
            found[sample_id] = label_text(only(choice_of(task)))
        except MultiLabelError as error:
            raise InputError(
                f"Task {number} in {name}: {error}. Keep one label per image."
            ) from error
    return found
