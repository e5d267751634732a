"""What a round reports while it runs: its stage, its metrics, and the classes without images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vecaf.arrays import Rows
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.runs.recording import Recorder
from vecaf.training.reporter import Reporter

MAX_NAMED_CLASSES = 5


@dataclass(frozen=True)
class RoundProgress:
    """Reports the stages and metrics of one round to the recorder."""

    recorder: Recorder
    number: int
    rounds: int

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        self.recorder.stage(f"Round {self.number} of {self.rounds}: {stage}", done, total)

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


def describe_missing_classes(config: RunConfig, samples: Samples, selected: Rows) -> str:
    """Name the classes that the training has no image of, as the end of a sentence.

    Looks at the `selected` rows, or at the whole pool if the head starts from the class means of
    the pool. Returns "" if every class has an image.
    """
    uses_pool = config.track == LABELS_KNOWN and config.head_init == "means"
    where, rows = ("in the pool", samples.pool) if uses_pool else ("yet", selected)
    names, labels = samples.classes, samples.labels[rows]
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    missing = [f"'{name}'" for name, count in zip(names, counts, strict=True) if not count]
    if not missing:
        return ""
    if len(missing) > MAX_NAMED_CLASSES:
        return f"; {len(missing):,} of {len(names):,} classes have no image {where}"
    return f"; no image of {' or '.join(missing)} {where}"
