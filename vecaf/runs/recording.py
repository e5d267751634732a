"""What a run reports while it works, and what it needs to read back to go on after a stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vecaf.wording import percent


@dataclass(frozen=True)
class Picks:
    """One round's picks, in rank order: `sample_ids` (budget,), `scores` name → (budget,)."""

    sample_ids: NDArray[np.int64]
    scores: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class RoundResult:
    """What a finished round measured; counts are cumulative.

    Accuracies are 0 to 1, None where the split has no labelled image. `seconds` are the last
    attempt's, for a round that was interrupted.
    """

    number: int  # from 1
    labeled: int  # images the model has been trained on
    batches: int  # optimizer steps since the run began
    val_accuracy: float | None
    test_accuracy: float | None
    confusion: list[list[int]]  # test set: rows are true classes, columns predicted
    seconds: float

    def sentence(self) -> str:
        """The result as a line of the run's log."""
        return (
            f"Round {self.number}: test accuracy {percent(self.test_accuracy)}, validation "
            f"{percent(self.val_accuracy)}, with {self.labeled} labelled images and "
            f"{self.batches} batches so far, in {self.seconds:.0f} s."
        )


class Recorder(Protocol):
    """Where a run's progress goes. Every write is durable when the method returns, but `metric`
    and `stage`, which may be held back for half a second or until `flush`."""

    def stage(self, text: str, done: int = 0, total: int = 0) -> None: ...

    def log(self, message: str, level: str = "info") -> None: ...

    def metric(self, round: int, step: int, values: Mapping[str, float]) -> None: ...

    def flush(self) -> None: ...

    def publishing(self) -> AbstractContextManager[object]:
        """A context in which the run's files appear; everything said before is durable then."""

    def rewind(self, round: int, step: int) -> None:
        """Forget the metrics of `round` beyond `step` and of later rounds: they come again."""

    def picks(self, round: int) -> Picks | None: ...

    def record_picks(self, round: int, picks: Picks) -> None: ...

    def rounds_done(self) -> list[RoundResult]: ...

    def finish_round(self, result: RoundResult) -> None: ...

    def reopen(self, upto: int) -> None:
        """Forget the results and metrics of rounds after `upto`, which are repeated. Their picks
        stay: the repeated rounds train on the same images."""

    def embedded(self, fingerprint: str, facts: Mapping[str, Any]) -> None:
        """Note the embedding set that the run works on."""

    def artifact(self, kind: str, path: Path) -> None: ...

    def should_stop(self) -> bool:
        """Whether a person asked for the run to stop; cheap enough to ask at every batch."""


@dataclass
class MemoryRecorder:
    """Keeps everything in memory: for programs that call `run_rounds` without a database.

    `on_stage(text, done, total)` is called whenever the run says where it stands.
    """

    on_stage: Callable[[str, int, int], None] = lambda text, done, total: None
    stages: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    metrics: dict[tuple[int, int, str], float] = field(default_factory=dict)
    picked: dict[int, Picks] = field(default_factory=dict)
    results: list[RoundResult] = field(default_factory=list)
    artifacts: list[Path] = field(default_factory=list)
    embedding_set: str = ""

    def stage(self, text: str, done: int = 0, total: int = 0) -> None:
        if not self.stages or self.stages[-1] != text:
            self.stages.append(text)
        self.on_stage(text, done, total)

    def log(self, message: str, level: str = "info") -> None:
        self.messages.append(message)

    def metric(self, round: int, step: int, values: Mapping[str, float]) -> None:
        self.metrics.update({(round, step, name): value for name, value in values.items()})

    def flush(self) -> None:
        """Nothing is held back here."""

    def publishing(self) -> AbstractContextManager[object]:
        return nullcontext()

    def rewind(self, round: int, step: int) -> None:
        self.metrics = {
            key: value
            for key, value in self.metrics.items()
            if key[0] < round or (key[0] == round and key[1] <= step)
        }

    def picks(self, round: int) -> Picks | None:
        return self.picked.get(round)

    def record_picks(self, round: int, picks: Picks) -> None:
        self.picked[round] = picks

    def rounds_done(self) -> list[RoundResult]:
        return list(self.results)

    def finish_round(self, result: RoundResult) -> None:
        self.results.append(result)

    def reopen(self, upto: int) -> None:
        self.rewind(upto + 1, -1)
        self.results = [result for result in self.results if result.number <= upto]

    def embedded(self, fingerprint: str, facts: Mapping[str, Any]) -> None:
        self.embedding_set = fingerprint

    def artifact(self, kind: str, path: Path) -> None:
        self.artifacts.append(path)

    def should_stop(self) -> bool:
        return False
