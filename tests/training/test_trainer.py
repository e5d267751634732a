"""The training loop: checkpoints, schedule segments, early stopping, divergence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vecaf.errors import CanceledError, VecafError
from vecaf.training.ranks import ALONE, Ranks
from vecaf.training.trainer import Callbacks, ScheduleSegment, Trainer, TrainerConfig

NEVER = 10**9


@dataclass
class FunctionBatches:
    """Batches that a function of the step returns."""

    batch: Callable[[int], tuple[Tensor, Tensor]]
    steps_per_epoch: int
    ranks: Ranks = ALONE

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        return self.batch(step)

    def loss_weight(self, step: int) -> float:
        return 1.0


@dataclass
class Recorded(Callbacks):
    """Records its calls, and cancels after some steps."""

    calls: list[str] = field(default_factory=list)
    stop_after: int = NEVER
    scores: list[float] | None = None
    _asked: int = 0

    def on_start(self, trainer: Trainer) -> None:
        self.calls.append(f"start {trainer.state.step}")

    def on_epoch_end(self, trainer: Trainer, loss: float) -> float:
        return float(trainer.epoch) if self.scores is None else self.scores[trainer.epoch - 1]

    def on_best(self, trainer: Trainer) -> None:
        self.calls.append("best")

    def should_stop(self) -> bool:
        self._asked += 1
        return self._asked > self.stop_after

    def publishing(self) -> AbstractContextManager[None]:
        @contextmanager
        def recorded() -> Iterator[None]:
            self.calls.append("publish")
            yield

        return recorded()


def train(folder: Path, callbacks: Callbacks, scale: float = 1.0) -> Tensor:
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    inputs, targets = scale * torch.randn(12, 4), torch.arange(12) % 3

    def batch(step: int) -> tuple[Tensor, Tensor]:
        rows = torch.arange(4) + 4 * (step % 3)
        return inputs[rows], targets[rows]

    config = TrainerConfig(epochs=4, checkpoint=folder / "checkpoint.safetensors")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    Trainer(model, optimizer, FunctionBatches(batch, 3), config, callbacks).run()
    return model.weight.detach()


def test_a_canceled_training_resumes_exactly_and_reports_are_durable_first(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", Recorded())
    calls: list[str] = []
    with pytest.raises(CanceledError):
        train(tmp_path, Recorded(calls, stop_after=7))
    assert calls == ["start 0", "best", "best", "publish"]
    assert torch.equal(train(tmp_path, Recorded(calls)), whole)
    assert calls[4] == "start 7"


def train_segments(folder: Path, count: int) -> Tensor:
    """The training of `train` in `count` segments."""
    for index in range(count):
        torch.manual_seed(0)
        model = nn.Linear(4, 3)
        inputs, targets = torch.randn(12, 4), torch.arange(12) % 3

        def batch(
            step: int, inputs: Tensor = inputs, targets: Tensor = targets
        ) -> tuple[Tensor, Tensor]:
            return inputs[step % 3 :: 3], targets[step % 3 :: 3]

        previous = folder / f"{index - 1}.safetensors" if index else None
        config = TrainerConfig(
            epochs=4 // count,
            checkpoint=folder / f"{index}-checkpoint.safetensors",
            segment=ScheduleSegment(index, count, previous, folder / f"{index}.safetensors"),
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
        Trainer(model, optimizer, FunctionBatches(batch, 3), config, Recorded()).run()
    return model.weight.detach()


def test_schedule_segments_give_the_weights_of_one_training(tmp_path: Path) -> None:
    whole = train_segments(tmp_path, 1)
    assert torch.equal(train_segments(tmp_path, 2), whole)
    assert torch.equal(train_segments(tmp_path, 4), whole)


def steps_taken(folder: Path, scores: list[float], patience: int, stop_after: int = NEVER) -> int:
    """Train epochs of two steps, with given validation scores."""
    model = nn.Linear(4, 3)
    batches = FunctionBatches(lambda step: (torch.ones(2, 4), torch.tensor([0, 1])), 2)
    config = TrainerConfig(len(scores), folder / "checkpoint.safetensors", patience=patience)
    callbacks = Recorded(stop_after=stop_after, scores=scores)
    optimizer = torch.optim.AdamW(model.parameters())
    return Trainer(model, optimizer, batches, config, callbacks).run().step


def test_patience_stops_and_survives_a_restart(tmp_path: Path) -> None:
    scores = [0.1, 0.5, 0.4, 0.5, 0.6, 0.2, 0.2]
    assert steps_taken(tmp_path / "0", scores, 0) == 14
    assert steps_taken(tmp_path / "2", scores, 2) == 8
    assert steps_taken(tmp_path / "3", scores, 3) == 14
    with pytest.raises(CanceledError):
        steps_taken(tmp_path / "cut", scores, 2, stop_after=7)
    assert steps_taken(tmp_path / "cut", scores, 2) == 8


def test_a_training_that_diverges_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(VecafError, match="Choose a smaller learning rate"):
        train(tmp_path, Recorded(), scale=float("inf"))


def test_weights_that_the_last_step_made_infinite_are_not_saved(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    batches = FunctionBatches(lambda step: (1e3 * torch.randn(6, 4), torch.arange(6) % 3), 1)
    callbacks = Recorded()
    optimizer = torch.optim.SGD(model.parameters(), lr=3e38, momentum=0.0)
    config = TrainerConfig(1, tmp_path / "checkpoint")
    with pytest.raises(VecafError, match="diverged"):
        Trainer(model, optimizer, batches, config, callbacks).run()
    assert callbacks.calls == ["start 0"]
