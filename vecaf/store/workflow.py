"""The workflow of a dataset, from the upload to predictions: its steps and the next action."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from vecaf.store.background import EMBED
from vecaf.store.datasets import count_pool_by_class
from vecaf.store.models import ENDED, Dataset, Task
from vecaf.store.next_step import (
    FINETUNE,
    LABEL,
    LABEL_REST,
    PREDICT,
    SELECT,
    WATCH,
    NextStep,
    newest_runs,
    next_step,
    selections_of,
)
from vecaf.store.samples import count_pool
from vecaf.store.tasks import latest_task

DONE, CURRENT, READY, NEXT = "done", "current", "ready", "next"
STEPS = ("upload", "explore", "select", "label", "finetune", "predict")
STEP_OF_ACTION = {
    SELECT: "select",
    LABEL: "label",
    FINETUNE: "finetune",
    WATCH: "finetune",
    LABEL_REST: "predict",
    PREDICT: "predict",
}


@dataclass(frozen=True)
class Workflow:
    """The steps of a dataset.

    Attributes
    ----------
    dataset_id, name
        The dataset.
    states
        The state of each of `STEPS`: done, current, ready or next. Exploring is optional, and
        nothing says that it is done: its step is ready once the embeddings are computed.
    action
        What to do next. Its step is the current one.
    embedding
        The task that computes the embeddings; None if it has ended.
    own
        Whether the user owns the dataset. Only the owner can act on it.
    """

    dataset_id: int
    name: str
    states: dict[str, str]
    action: NextStep
    embedding: Task | None
    own: bool

    @property
    def current(self) -> str:
        """The current step."""
        return STEP_OF_ACTION[self.action.kind]

    @property
    def moving(self) -> bool:
        """Whether the workflow changes without the user."""
        return self.embedding is not None or self.action.kind == WATCH


@dataclass(frozen=True)
class PoolCounts:
    """The labeled pool images of each class, and the pool images without a label."""

    by_class: tuple[int, ...]
    unlabeled: int


def pool_counts(session: Session, dataset: Dataset) -> PoolCounts:
    """Count the images of a dataset's pool, which scans them."""
    pool, labeled = count_pool(session, dataset.id)
    return PoolCounts(tuple(count_pool_by_class(session, dataset)), pool - labeled)


def workflow(session: Session, user_id: int, dataset: Dataset, counts: PoolCounts) -> Workflow:
    """Return the workflow of a dataset that the user can see."""
    dataset_id = dataset.id
    action = next_step(session, user_id, dataset_id, counts.by_class, counts.unlabeled)
    task = latest_task(session, user_id, dataset_id, EMBED)
    embedding = task if task is not None and task.state not in ENDED else None
    selections = selections_of(session, user_id, dataset_id)
    finished = {
        "upload": True,
        "explore": False,
        "select": bool(selections) or any(counts.by_class),
        "label": any(counts.by_class) and action.kind != LABEL,
        "finetune": bool(newest_runs(session, dataset_id)),
        "predict": False,
    }
    current = STEP_OF_ACTION[action.kind]
    states = {
        step: CURRENT if step == current else DONE if finished[step] else NEXT for step in STEPS
    }
    if embedding is None:
        states["explore"] = READY
    return Workflow(
        dataset_id=dataset_id,
        name=dataset.name,
        states=states,
        action=action,
        embedding=embedding,
        own=dataset.owner_id == user_id,
    )
