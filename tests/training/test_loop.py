from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vecaf.errors import CanceledError, VecafError
from vecaf.training.loop import Hooks, Leg, fit


def hooks(calls: list[str], stop_after: int = 10**9) -> Hooks:
    asked = iter(range(10**9))

    @contextmanager
    def publishing() -> Iterator[None]:
        calls.append("publish")
        yield

    return Hooks(
        on_start=lambda step: calls.append(f"start {step}"),
        on_loss=lambda step, loss: None,
        on_epoch=lambda step, epoch, loss: float(epoch),
        on_best=lambda: calls.append("best"),
        should_stop=lambda: next(asked) >= stop_after,
        publishing=publishing,
    )


def train(folder: Path, calls: list[str], scale: float = 1.0, stop_after: int = 10**9) -> Tensor:
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    inputs, targets = scale * torch.randn(12, 4), torch.arange(12) % 3

    def batch(step: int) -> tuple[Tensor, Tensor]:
        rows = torch.arange(4) + 4 * (step % 3)
        return inputs[rows], targets[rows]

    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    fit(
        model,
        optimizer,
        batch,
        epochs=4,
        steps_per_epoch=3,
        hooks=hooks(calls, stop_after),
        checkpoint=folder / "checkpoint.safetensors",
    )
    return model.weight.detach()


def test_a_stopped_loop_goes_on_where_it_was_and_reports_are_durable_first(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", [])
    calls: list[str] = []
    with pytest.raises(CanceledError):
        train(tmp_path, calls, stop_after=7)
    assert calls == ["start 0", "best", "best", "publish"]
    assert torch.equal(train(tmp_path, calls), whole)
    assert calls[4] == "start 7"


Batch = tuple[Tensor, Tensor]


def train_legs(folder: Path, legs: int) -> Tensor:
    """The training of `train`, in `legs` parts that go on from each other."""
    for index in range(legs):
        torch.manual_seed(0)
        model = nn.Linear(4, 3)
        inputs, targets = torch.randn(12, 4), torch.arange(12) % 3

        def batch(step: int, inputs: Tensor = inputs, targets: Tensor = targets) -> Batch:
            return inputs[step % 3 :: 3], targets[step % 3 :: 3]

        before = folder / f"{index - 1}.safetensors" if index else None
        fit(
            model,
            torch.optim.AdamW(model.parameters(), lr=0.05),
            batch,
            epochs=4 // legs,
            steps_per_epoch=3,
            hooks=hooks([]),
            checkpoint=folder / f"{index}-checkpoint.safetensors",
            leg=Leg(index, legs, before, folder / f"{index}.safetensors"),
        )
    return model.weight.detach()


def test_legs_of_one_training_are_that_training(tmp_path: Path) -> None:
    whole = train_legs(tmp_path, 1)
    assert torch.equal(train_legs(tmp_path, 2), whole)
    assert torch.equal(train_legs(tmp_path, 4), whole)


def scored(folder: Path, scores: list[float], patience: int, stop_after: int = 10**9) -> int:
    """How many steps a training takes whose epochs, of two steps, validate as `scores`."""
    model = nn.Linear(4, 3)
    silent = hooks([], stop_after)
    state = fit(
        model,
        torch.optim.AdamW(model.parameters()),
        lambda step: (torch.ones(2, 4), torch.tensor([0, 1])),
        epochs=len(scores),
        steps_per_epoch=2,
        hooks=replace(silent, on_epoch=lambda step, epoch, loss: scores[epoch - 1]),
        checkpoint=folder / "checkpoint.safetensors",
        patience=patience,
    )
    return state.step


def test_patience_stops_and_survives_a_restart(tmp_path: Path) -> None:
    scores = [0.1, 0.5, 0.4, 0.5, 0.6, 0.2, 0.2]
    assert scored(tmp_path / "0", scores, 0) == 14
    assert scored(tmp_path / "2", scores, 2) == 8
    assert scored(tmp_path / "3", scores, 3) == 14
    with pytest.raises(CanceledError):
        scored(tmp_path / "cut", scores, 2, stop_after=7)
    assert scored(tmp_path / "cut", scores, 2) == 8


def test_a_training_that_diverges_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(VecafError, match="Choose a smaller learning rate"):
        train(tmp_path, [], scale=float("inf"))
