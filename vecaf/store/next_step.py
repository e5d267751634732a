"""Suggest the next step for a dataset: select images, label them, or finetune."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from vecaf.store.models import SELECTION
from vecaf.store.subsets import SubsetSummary, subsets_of

SELECT, LABEL, FINETUNE = "select", "label", "finetune"


@dataclass(frozen=True)
class NextStep:
    """The next step; `subset` is the selection to label or train on, None if there is none."""

    kind: str
    subset: SubsetSummary | None = None


READY = NextStep(FINETUNE)


def next_step(
    session: Session, user_id: int, dataset_id: int, pool_counts: Sequence[int]
) -> NextStep:
    """Return the next step for a dataset.

    Parameters
    ----------
    pool_counts
        The number of labeled pool images of each class.

    Raises
    ------
    NotFoundError
        The user can't see the dataset.
    """
    lines = [
        line for line in subsets_of(session, user_id, dataset_id) if line.kind == SELECTION
    ]  # newest first
    return step_from(pool_counts, lines)


def step_from(pool_counts: Sequence[int], selections: Sequence[SubsetSummary]) -> NextStep:
    """Return the next step, given the pool's labels and its selections, newest first."""
    filled = [line for line in selections if line.images]
    done = next((line for line in filled if line.labeled == line.images), None)
    waiting = next((line for line in filled if line.labeled < line.images), None)
    trainable = sum(count > 0 for count in pool_counts) >= 2
    # A strategy can select only from labeled images; here all of them belong to a selection.
    only_selections = sum(pool_counts) <= sum(line.labeled for line in filled)
    if trainable and (done is not None or waiting is None or not only_selections):
        return NextStep(FINETUNE, done if only_selections else None)
    return NextStep(SELECT if waiting is None else LABEL, waiting)
