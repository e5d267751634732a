"""The card of a run's page that lets its model label the rest of the pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from vecaf.datasets.edits import undo
from vecaf.errors import NotFoundError, VecafError
from vecaf.runs.label_rest import LabelingPlan, apply_labels, left_name, plan_labels
from vecaf.store import Edit, Run, Store, Subset, visible

from ..shell.address import whole
from ..shell.templates import macros

ERRORS, CONFIDENCES = (1, 2, 5, 10), (80, 90, 95)  # percent, as the page offers them
ERROR, CONFIDENCE = 2, 90


@dataclass(frozen=True)
class Card:
    """What the card shows. Shares are percentages.

    edits  labels of this model that can be undone, newest first
    left   the saved selection with the images that the model could not label, if there is one
    possible  the lowest larger error rate at which the model can label images, if it can't now
    """

    plan: LabelingPlan
    error: int
    confidence: int
    edits: Sequence[Edit]
    left: int | None
    possible: int | None = None
    errors: Sequence[int] = ERRORS
    confidences: Sequence[int] = CONFIDENCES


def label_rest(store: Store, user: int, run_id: int, values: Mapping[str, str]) -> str:
    """Return the card, or "" if the pool of a finished run has nothing to label or to undo."""
    confidence = _choice(values, "confidence", CONFIDENCES, CONFIDENCE)
    try:
        error = _choice(values, "error", ERRORS, 0) or _default(store, user, run_id, confidence)
        plan = _plan(store, user, run_id, error, confidence)
    except VecafError:  # the run has not finished, or it saved no predictions
        return ""
    with store.read() as session:
        edits = _edits(store, user, run_id)
        query = sa.select(Subset.id).where(Subset.dataset_id == plan.dataset_id)
        left = session.scalar(query.where(Subset.name == left_name(run_id)))
    if not plan.unlabeled and not edits:
        return ""
    possible = None
    if plan.guarantee is None:
        larger = (share for share in ERRORS if share > error)
        possible = next(
            (x for x in larger if len(_plan(store, user, run_id, x, confidence).ids)), None
        )
    card = Card(plan, error, confidence, edits, left if edits else None, possible)
    return str(macros("runs", "label_rest.html").label_rest(card))


def apply(store: Store, user: int, run_id: int, data: Mapping[str, str]) -> None:
    """Label the images of the plan that the user saw. Raises VecafError."""
    error = _choice(data, "error", ERRORS, ERROR)
    confidence = _choice(data, "confidence", CONFIDENCES, CONFIDENCE)
    plan = _plan(store, user, run_id, error, confidence)
    with store.write() as session:
        apply_labels(session, user, plan)


def undo_labels(store: Store, user: int, run_id: int, data: Mapping[str, str]) -> None:
    """Undo labels of the run's model. Raises VecafError."""
    edit_id = whole(dict(data), "edit")
    if edit_id not in {edit.id for edit in _edits(store, user, run_id)}:
        raise NotFoundError(f"There is no change {edit_id}.")
    with store.write() as session:
        undo(session, user, edit_id)


def _plan(store: Store, user: int, run_id: int, error: int, confidence: int) -> LabelingPlan:
    return plan_labels(store, user, run_id, max_error=error / 100, confidence=confidence / 100)


def _default(store: Store, user: int, run_id: int, confidence: int) -> int:
    """Return the lowest usual error rate at which the model can label images, else the highest."""
    usual = (share for share in ERRORS if share >= ERROR)
    plans = ((share, _plan(store, user, run_id, share, confidence)) for share in usual)
    return next((share for share, plan in plans if len(plan.ids)), ERRORS[-1])


def _edits(store: Store, user: int, run_id: int) -> list[Edit]:
    with store.read() as session:
        visible(session, user, Run, run_id)
        query = sa.select(Edit).where(Edit.run_id == run_id, Edit.undone.is_(False))
        return list(session.scalars(query.order_by(Edit.id.desc())))


def _choice(values: Mapping[str, str], name: str, allowed: Sequence[int], default: int) -> int:
    asked = whole(dict(values), name)
    return asked if asked is not None and asked in allowed else default
