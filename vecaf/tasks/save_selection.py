"""Save a finished selection as a subset, so that you can label it and train on it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from vecaf.errors import InputError
from vecaf.settings import Settings
from vecaf.store import FINISHED, SELECTION, Subset, Task, visible
from vecaf.store.subsets import add_subset
from vecaf.tasks.select_images import read_explanation, selection


def save_selection(
    session: Session, settings: Settings, user_id: int, task_id: int, name: str, *, earlier: bool
) -> Subset:
    """Save a finished selection under a name, so that you can label it and train on it.

    Parameters
    ----------
    earlier
        Append the images that were labeled or selected before.

    Raises
    ------
    NotFoundError
        The task does not exist.
    InputError
        The selection is not finished, or the name is empty or already used.
    """
    task = visible(session, user_id, Task, task_id)
    explanation = None
    if task.kind == selection.__name__ and task.state == FINISHED:
        explanation = read_explanation(settings.tasks / str(task_id))
    if explanation is None:
        raise InputError("This selection is not finished yet. Wait for it, then save it.")
    before = explanation.earlier if earlier else []
    no_scores = [float("nan")] * len(before)
    parts: dict[str, list[float | None]] = dict(explanation.scores)
    parts["covers"] = [float(count) for count in explanation.covers]
    scores = {
        part: [float("nan") if value is None else value for value in values] + no_scores
        for part, values in parts.items()
    }
    counts = {"selected": len(explanation.ids), "earlier": len(before)}
    facts = {**task.params, "task": task_id, **counts}
    return add_subset(
        session,
        user_id,
        task.dataset_id,
        name,
        SELECTION,
        [*explanation.ids, *before],
        scores=scores,
        facts=facts,
    )
