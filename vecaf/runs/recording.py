"""The interface through which a run reports progress, saves results, and reads them back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vecaf.store.records import RoundResult


@dataclass(frozen=True)
class RoundSelection:
    """The images that one round selected, in rank order.

    `sample_ids`: (budget,). `scores`: arrays (budget,) by name. `strategy`: the one that selected;
    empty if the selection is read back from the database.
    """

    sample_ids: NDArray[np.int64]
    scores: Mapping[str, NDArray[np.float32]]
    strategy: str = ""


class Recorder(Protocol):
    """Where a run reports its progress and results.

    When a method returns, its data is durable, except for `metric` and `stage`: these can be
    buffered for half a second, or until `flush`.
    """

    def stage(self, text: str, done: int = 0, total: int = 0) -> None: ...

    def log(self, message: str, level: str = "info") -> None: ...

    def metric(self, round: int, step: int, values: Mapping[str, float]) -> None: ...

    def flush(self) -> None: ...

    def publishing(self) -> AbstractContextManager[object]:
        """Return the context in which the run moves finished files into place.

        Everything reported before is durable by then.
        """

    def rewind(self, round: int, step: int) -> None:
        """Delete the metrics of `round` after `step` and of later rounds; they are repeated."""

    def selection(self, round: int) -> RoundSelection | None: ...

    def record_selection(self, round: int, selection: RoundSelection) -> None: ...

    def finished_rounds(self) -> list[RoundResult]: ...

    def finish_round(self, result: RoundResult) -> None: ...

    def reopen(self, upto: int) -> None:
        """Delete the results and metrics of rounds after `upto`, because they are repeated.

        Selections stay: the repeated rounds train on the same images.
        """

    def embedded(self, fingerprint: str, facts: Mapping[str, Any]) -> None:
        """Record the embedding set that the run uses."""

    def artifact(self, kind: str, path: Path) -> None: ...

    def should_stop(self) -> bool:
        """Return whether a user canceled the run. Cheap enough to call for every batch."""


@dataclass
class MemoryRecorder:
    """Keeps everything in memory, for programs that call `run_rounds` without a database.

    `on_stage(text, done, total)` is called for every progress report.
    """

    on_stage: Callable[[str, int, int], None] = lambda text, done, total: None
    stages: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    metrics: dict[tuple[int, int, str], float] = field(default_factory=dict)
    selections: dict[int, RoundSelection] = field(default_factory=dict)
    results: list[RoundResult] = field(default_factory=list)
    artifacts: list[Path] = field(default_factory=list)

    def stage(self, text: str, done: int = 0, total: int = 0) -> None:
        if not self.stages or self.stages[-1] != text:
            self.stages.append(text)
        self.on_stage(text, done, total)

    def log(self, message: str, level: str = "info") -> None:
        self.messages.append(message)

    def metric(self, round: int, step: int, values: Mapping[str, float]) -> None:
        self.metrics.update({(round, step, name): value for name, value in values.items()})

    def flush(self) -> None:
        """Do nothing: this recorder buffers nothing."""

    def publishing(self) -> AbstractContextManager[object]:
        return nullcontext()

    def rewind(self, round: int, step: int) -> None:
        self.metrics = {
            key: value
            for key, value in self.metrics.items()
            if key[0] < round or (key[0] == round and key[1] <= step)
        }

    def selection(self, round: int) -> RoundSelection | None:
        return self.selections.get(round)

    def record_selection(self, round: int, selection: RoundSelection) -> None:
        self.selections[round] = selection

    def finished_rounds(self) -> list[RoundResult]:
        return list(self.results)

    def finish_round(self, result: RoundResult) -> None:
        self.results.append(result)

    def reopen(self, upto: int) -> None:
        self.rewind(upto + 1, -1)
        self.results = [result for result in self.results if result.number <= upto]

    def embedded(self, fingerprint: str, facts: Mapping[str, Any]) -> None:
        """Do nothing: there is no database to record it in."""

    def artifact(self, kind: str, path: Path) -> None:
        self.artifacts.append(path)

    def should_stop(self) -> bool:
        return False
