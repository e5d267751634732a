"""Selections and requests for labels, as the API offers them. Each function authorizes the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from vecaf.config import RunConfig
from vecaf.errors import InputError, NotFoundError
from vecaf.store import Dataset, Subset, Task, visible
from vecaf.store.authorization import dataset_named
from vecaf.store.samples import samples_by_id
from vecaf.store.subsets import subsets_of
from vecaf.tasks.save_selection import save_selection
from vecaf.tasks.select_images import SelectionExplanation, read_explanation

from ..select.submission import SETTINGS, submit_selection
from ..shell.address import link
from ..shell.ids import LARGEST
from ..shell.studio import Studio
from .answers import LabelRequest, SelectedImage, SelectionStatus

ACCEPTED = ("dataset", *SETTINGS)


def start_selection(studio: Studio, user: int, settings: object) -> SelectionStatus:
    """Queue a selection with settings by name. Raises InputError, NotFoundError."""
    if not isinstance(settings, dict) or not settings.get("dataset"):
        raise InputError(
            'The body must be a JSON object of settings with "dataset", the name of a dataset.'
        )
    run = settings.get("run")
    if run is not None and not (type(run) is int and 0 < run <= LARGEST):
        raise InputError("The setting 'run' must be the number of a run.")
    given = {name: value for name, value in settings.items() if name != "run"}
    unknown = sorted(map(str, given.keys() - set(ACCEPTED)))
    if unknown:
        raise InputError(
            f"Unknown setting '{unknown[0]}'. Settings of a selection: {', '.join(ACCEPTED)}, run."
        )
    config = RunConfig.from_dict(given)
    with studio.store.read() as session:
        dataset_id = dataset_named(session, user, config.dataset).id
    return get_selection(studio, user, submit_selection(studio, user, dataset_id, config, run))


def get_selection(studio: Studio, user: int, task_id: int) -> SelectionStatus:
    """Return a selection, with its images when it is finished. Raises NotFoundError."""
    with studio.store.read() as session:
        task = _selection(session, user, task_id)
        dataset = visible(session, user, Dataset, task.dataset_id)
        found = read_explanation(studio.settings.tasks / str(task_id))
        images = [] if found is None else _images(session, user, dataset, found)
    return SelectionStatus(
        id=task.id,
        dataset=dataset.name,
        dataset_id=dataset.id,
        state=task.state,
        stage=task.stage,
        done=task.done,
        total=task.total,
        error=task.error,
        images=images,
    )


def request_labels(studio: Studio, user: int, task_id: int, options: object) -> LabelRequest:
    """Save a finished selection under a name, so that people can label it.

    Raises InputError, NotFoundError, NotAllowedError.
    """
    name = options.get("name") if isinstance(options, Mapping) else None
    if not isinstance(name, str):
        raise InputError('The body must be a JSON object with "name", a name for the selection.')
    with studio.store.write() as session:
        _selection(session, user, task_id)
        saved = save_selection(session, studio.settings, user, task_id, name, earlier=False)
        return _request(session, user, saved)


def get_label_request(studio: Studio, user: int, subset_id: int) -> LabelRequest:
    """Return how many images of a saved selection are labeled. Raises NotFoundError."""
    with studio.store.read() as session:
        try:
            subset = visible(session, user, Subset, subset_id)
        except NotFoundError:
            raise NotFoundError(f"There is no label request {subset_id}.") from None
        return _request(session, user, subset)


def _selection(session: Session, user: int, task_id: int) -> Task:
    missing = NotFoundError(f"There is no selection {task_id}.")
    try:
        task = visible(session, user, Task, task_id)
    except NotFoundError:
        raise missing from None
    if task.kind != "selection":
        raise missing
    return task


def _images(
    session: Session, user: int, dataset: Dataset, found: SelectionExplanation
) -> list[SelectedImage]:
    samples = samples_by_id(session, user, dataset.id, found.ids)

    def image(rank: int, sample_id: int) -> dict[str, Any]:
        sample = samples[sample_id]
        return {
            "id": sample_id,
            "file_name": sample.file_name,
            "split": sample.split,
            "label": None if sample.label is None else dataset.classes[sample.label],
            "scores": {name: values[rank] for name, values in found.scores.items()},
        }

    return [SelectedImage(**image(rank, one)) for rank, one in enumerate(found.ids)]


def _request(session: Session, user: int, subset: Subset) -> LabelRequest:
    lines = subsets_of(session, user, subset.dataset_id)
    line = next(one for one in lines if one.id == subset.id)
    return LabelRequest(
        id=line.id,
        name=line.name,
        dataset_id=line.dataset_id,
        images=line.images,
        labeled=line.labeled,
        page=link("/label", dataset=line.dataset_id, subset=line.id),
    )
