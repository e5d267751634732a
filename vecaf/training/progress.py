"""How a stage of training tells its caller what happens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace

from vecaf.files import Publishing


@dataclass(frozen=True)
class Report:
    """Where a stage tells its caller what happens, with steps counted from the round's start.

    `start(step)`: the stage begins, or goes on from a checkpoint, here; what was said of later
    steps comes again. `values(step, {name: value})` for the curves, `epoch(done, total)` for
    progress. `publishing()`: files appear within it; what was said is durable by then.
    """

    start: Callable[[int], None]
    values: Callable[[int, dict[str, float]], None]
    epoch: Callable[[int, int], None]
    should_stop: Callable[[], bool]
    publishing: Publishing

    def quiet_start(self) -> Report:
        """The same for a stage that is repeated while a later one is to go on: nothing said of
        that later stage is taken back."""
        return replace(self, start=lambda step: None)

    def after(self, steps: int) -> Report:
        """The same for a stage that follows another of so many `steps`."""
        return replace(
            self,
            start=lambda step: self.start(step + steps),
            values=lambda step, values: self.values(step + steps, values),
        )


SILENT = Report(
    start=lambda step: None,
    values=lambda step, values: None,
    epoch=lambda done, total: None,
    should_stop=lambda: False,
    publishing=nullcontext,
)
"""Tells nobody, and is never asked to stop."""
