"""What the processes of a training execute in tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.errors import CanceledError
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.store.records import RoundResult
from vecaf.training.ranks import Ranks, join, leave

Metrics = dict[tuple[int, int, str], float]


@dataclass(frozen=True)
class InEachProcess:
    """Call a function of a module with the process's ranks, and return what it returns."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()

    def __call__(self) -> Any:
        ranks = join("cpu")
        try:
            return self.function(ranks, *self.arguments)
        finally:
            leave()


class StopsOnce(MemoryRecorder):
    """Asks once to stop, during training."""

    stopped = False

    def should_stop(self) -> bool:
        if self.metrics and not self.stopped:
            self.stopped = True
            return True
        return False


def train_with_a_break(
    ranks: Ranks, config: RunConfig, samples: Samples, folder: Path, settings: Settings
) -> tuple[list[RoundResult], Metrics]:
    """Do a run that is canceled during training and then resumed from its checkpoint."""
    recorder = StopsOnce()
    try:
        run_rounds(config, samples, recorder, folder, settings, ranks)
    except CanceledError:
        run_rounds(config, samples, recorder, folder, settings, ranks)
        assert recorder.stopped == ranks.first
        return recorder.results, recorder.metrics
    raise AssertionError("The run was not canceled.")


def train(
    ranks: Ranks, config: RunConfig, samples: Samples, folder: Path, settings: Settings
) -> list[RoundResult]:
    recorder = MemoryRecorder()
    run_rounds(config, samples, recorder, folder, settings, ranks)
    return recorder.results


def fail_in_second(ranks: Ranks, message: str) -> None:
    """Fail in the second process with `message`, or let it be killed if there is none."""
    if not ranks.first:
        if message:
            raise RuntimeError(message)
        os.kill(os.getpid(), signal.SIGKILL)
    ranks.mean(1.0)
