"""Tasks by name: functions that a worker runs on a dataset, and what they are given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vecaf.datasets.pool import Samples, load_samples
from vecaf.errors import CanceledError, InputError
from vecaf.registry import Registry
from vecaf.store import Dataset, Store, visible


class Stage(Protocol):
    """Says where a task stands; shown on the page, at most twice a second."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None: ...


@dataclass(frozen=True)
class Work:
    """What a task works with. Files it leaves go into `folder`; each is written by `replacing`,
    for a task that was interrupted is done again from its start, in the same folder."""

    store: Store
    user_id: int
    dataset_id: int
    folder: Path
    stage: Stage
    should_stop: Callable[[], bool]

    def samples(self) -> Samples:
        """The dataset's samples as they are now."""
        with self.store.read() as session:
            dataset = visible(session, self.user_id, Dataset, self.dataset_id)
            return load_samples(session, dataset, self.store.settings.images)

    def progress(self, stage: str) -> Callable[[int, int], None]:
        """A progress callback (done, total) for one stage, which also ends a canceled task."""

        def report(done: int, total: int) -> None:
            self.check()
            self.stage(stage, done, total)

        return report

    def check(self) -> None:
        """Raises CanceledError once somebody asked the task to stop."""
        if self.should_stop():
            raise CanceledError("The task was told to stop.")


TaskFunction = Callable[..., dict[str, Any]]
TASKS: Registry[TaskFunction] = Registry("task")
"""`function(work, **params) -> result`, a small JSON object."""


def check_params(kind: str, params: Mapping[str, Any]) -> None:
    """Raise InputError for a task that does not exist or does not take these parameters."""
    try:
        inspect.signature(TASKS[kind]).bind(None, **params)
    except TypeError as error:
        raise InputError(f"The task '{kind}' can't be started: {error}.") from error
