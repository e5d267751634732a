"""What a round reports while it runs: its stage and its metrics."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from vecaf.runs.recording import Recorder
from vecaf.training.reporter import Reporter


@dataclass(frozen=True)
class RoundProgress:
    """Reports the stages and metrics of one round to the recorder."""

    recorder: Recorder
    number: int
    rounds: int
    started: float = field(default_factory=time.monotonic)

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        self.recorder.stage(f"Round {self.number} of {self.rounds}: {stage}", done, total)

    def seconds(self) -> float:
        """Return how long the round has taken so far."""
        return time.monotonic() - self.started

    def reporter(self, earlier_batches: int) -> Reporter:
        """Return the callbacks of a training. Steps count from the start of the run."""
        recorder, number = self.recorder, self.number
        return Reporter(
            start=lambda step: recorder.rewind(number, earlier_batches + step),
            metrics=lambda step, values: recorder.metric(number, earlier_batches + step, values),
            epoch=lambda done, total: self("finetuning", done, total),
            should_stop=recorder.should_stop,
            publishing=recorder.publishing,
        )
