"""The values that the form opens with: the browser's, a cloned run's, and the address's."""

from __future__ import annotations

from typing import Any

import gradio as gr

from vecaf.errors import VecafError
from vecaf.store import EVALUATION, Dataset, Run, dataset_named, visible
from vecaf.store.datasets import count_pool_by_class
from vecaf.store.next_step import FINETUNE, next_step_to_train
from vecaf.store.page_queries import dataset_choices, dataset_names
from vecaf.store.subsets import subsets_of

from ..shell.address import whole
from ..shell.studio import Studio
from . import form


def choices(studio: Studio, user: int, dataset: str | None) -> tuple[list[str], list[str]]:
    """Return the names of the datasets, and of the saved selections of `dataset`."""
    with studio.store.read() as session:
        names = dataset_names(session, user)
        if dataset not in names:
            return names, []
        found = dataset_named(session, user, dataset)
        lines = subsets_of(session, user, found.id)
    return names, [line.name for line in lines if line.kind != EVALUATION]


def opening(
    studio: Studio, user: int, values: dict[str, str], stored: object
) -> tuple[list[Any], str]:
    """Return the form's first values, and what is wrong with the dataset of the address, or "".

    The values are those of a cloned run or those that the browser has kept. What the address
    names replaces them.
    """
    with studio.store.read() as session:
        names = dataset_names(session, user)
        by_id = {str(id_): name for id_, name in dataset_choices(session, user)}
    wanted = values.get("dataset")
    wanted = by_id.get(wanted or "", wanted)  # other pages' addresses carry the id
    kept, clone = stored, whole(values, "clone")
    if clone is not None:
        try:
            stored, wanted = _cloned(studio, user, clone)
        except VecafError as error:
            gr.Warning(f"{error} The form keeps its previous values.", title="")
            clone = None
    found, at = form.restored(stored, names, wanted), form.PLACES
    if names and wanted is not None and wanted not in names:
        found[at["dataset"]], found[at["subset"]] = None, ""
        return found, _not_yours(wanted, wanted in by_id.values())
    asked = values.get("subset", "")
    subset = asked or found[at["subset"]]
    if not subset and clone is None and found[0]:
        asked = subset = _only_selection(studio, user, found[0])
    if subset in choices(studio, user, found[0])[1]:
        found[at["subset"]] = subset
        found[at["rounds"]] = 1 if asked else found[at["rounds"]]
        return found, ""
    # another dataset's, or deleted
    if found[at["subset"]] and clone is None:
        found[at["rounds"]] = form.rounds_alone(kept)
    found[at["subset"]] = ""
    if subset and (asked or clone is not None):
        gr.Warning(
            f"The dataset has no saved selection called '{subset}'. The strategy selects the "
            "images instead.",
            title="",
        )
    return found, ""


def _not_yours(dataset: str, shared: bool) -> str:
    """Return why the form can't open with the dataset that the address names."""
    if shared:
        return (
            f"'{dataset}' is shared with you, so you can't finetune on it. Choose one of your own "
            "datasets."
        )
    named = dataset if dataset.isdecimal() else f"called '{dataset}'"
    return f"There is no dataset {named}. Choose another dataset."


def _only_selection(studio: Studio, user: int, dataset: str) -> str:
    """Return the selection that holds all labels of the pool; "" for none."""
    with studio.store.read() as session:
        found = dataset_named(session, user, dataset)
        step = next_step_to_train(session, user, found.id, count_pool_by_class(session, found))
    return "" if step.kind != FINETUNE or step.subset is None else step.subset.name


def _cloned(studio: Studio, user: int, run_id: int) -> tuple[dict[str, Any], str | None]:
    """Return a run's settings and its dataset's name, None for a dataset of another user.

    Raises NotFoundError.
    """
    with studio.store.read() as session:
        run = visible(session, user, Run, run_id)
        dataset = visible(session, user, Dataset, run.dataset_id)
    if dataset.owner_id == user:
        return run.config, dataset.name
    gr.Warning(
        f"Run {run_id} uses '{dataset.name}', which is shared with you, so you can't finetune on "
        "it. The form has the run's settings and one of your own datasets. Check that they fit.",
        title="",
    )
    return {**run.config, "dataset": ""}, None
