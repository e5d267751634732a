"""How training reports its progress."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace

from vecaf.files import Publishing


@dataclass(frozen=True)
class Monitor:
    """Reports the progress of a long pass over images, and can cancel it.

    Attributes
    ----------
    progress
        Called with the number of finished images and of all images.
    should_stop
        Returns whether the user canceled.
    """

    progress: Callable[[int, int], None]
    should_stop: Callable[[], bool]


@dataclass(frozen=True)
class Reporter:
    """Receives the reports of a training stage. Steps count from the start of the round.

    Attributes
    ----------
    start
        Called with the step at which the stage starts or resumes. Reports of later steps are
        outdated: they come again.
    metrics
        Called with a step and values by name, for the curves.
    epoch
        Called with the number of finished epochs and of all epochs.
    should_stop
        Returns whether the user canceled.
    publishing
        Makes the context that files are published in. It first makes earlier reports durable.
    """

    start: Callable[[int], None]
    metrics: Callable[[int, dict[str, float]], None]
    epoch: Callable[[int, int], None]
    should_stop: Callable[[], bool]
    publishing: Publishing

    def without_start(self) -> Reporter:
        """Return a reporter that doesn't report its start.

        A resumed round repeats its first stage quickly. Reports of its later stage stay valid.
        """
        return replace(self, start=lambda step: None)

    def after(self, steps: int) -> Reporter:
        """Return a reporter for a stage that follows a stage of `steps` steps."""
        return replace(
            self,
            start=lambda step: self.start(step + steps),
            metrics=lambda step, values: self.metrics(step + steps, values),
        )


SILENT = Reporter(
    start=lambda step: None,
    metrics=lambda step, values: None,
    epoch=lambda done, total: None,
    should_stop=lambda: False,
    publishing=nullcontext,
)
"""Ignores all reports and never cancels."""
