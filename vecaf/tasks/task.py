"""The registry of tasks, and the context in which a task runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vecaf.datasets.pool import Samples, load_samples
from vecaf.errors import CanceledError, InputError
from vecaf.registry import Registry
from vecaf.store import Dataset, Store, visible

if TYPE_CHECKING:
    from vecaf.selection.sharded_rows import Sharding


class StageReporter(Protocol):
    """Reports what a task is doing. Pages show it with a delay of up to half a second."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None: ...


@dataclass(frozen=True)
class TaskContext:
    """What a task works with.

    The task writes its files to `folder`, each with `vecaf.files.replacing`: after an interruption
    it starts again in the same folder.
    """

    store: Store
    user_id: int
    dataset_id: int
    folder: Path
    stage: StageReporter
    should_stop: Callable[[], bool]
    sharding: Sharding | None = None  # of the features during a selection

    def samples(self) -> Samples:
        """Load the samples of the dataset as they are now."""
        with self.store.read() as session:
            dataset = visible(session, self.user_id, Dataset, self.dataset_id)
            return load_samples(session, dataset, self.store.settings.images)

    def progress(self, stage: str) -> Callable[[int, int], None]:
        """Return a callback (done, total) that reports one stage and stops a canceled task."""

        def report(done: int, total: int) -> None:
            self.check()
            self.stage(stage, done, total)

        return report

    def check(self) -> None:
        """Raise CanceledError if the task was canceled."""
        if self.should_stop():
            raise CanceledError("The task was canceled.")


TaskFunction = Callable[..., dict[str, Any]]
TASKS: Registry[TaskFunction] = Registry("task")
"""Functions `(context, **params) -> result` by name. The result is a small JSON object."""

RETIRED = {
    "embed_part": "This task computed a part of the embeddings of a dataset. This version computes "
    "all embeddings in one task, so you can delete this task."
}
"""What to say about queued tasks of kinds that older versions had."""


def check_params(kind: str, params: Mapping[str, Any]) -> None:
    """Raise InputError if the task does not exist or does not accept these parameters."""
    try:
        inspect.signature(TASKS[kind]).bind(None, **params)
    except TypeError as error:
        raise InputError(f"Can't start the task '{kind}': {error}.") from error
