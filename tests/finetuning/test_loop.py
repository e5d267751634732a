from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vecaf.errors import CanceledError, VecafError
from vecaf.finetuning.loop import Hooks, fit


def hooks(calls: list[str], stop_after: int = 10**9) -> Hooks:
    asked = iter(range(10**9))
    return Hooks(
        on_start=lambda step: calls.append(f"start {step}"),
        on_loss=lambda step, loss: None,
        on_epoch=lambda step, epoch, loss: float(epoch),
        on_best=lambda: calls.append("best"),
        should_stop=lambda: next(asked) >= stop_after,
        before_checkpoint=lambda: calls.append("flush"),
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
    assert calls == ["start 0", "best", "best", "flush"]
    assert torch.equal(train(tmp_path, calls), whole)
    assert calls[4] == "start 7"


def test_a_training_that_diverges_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(VecafError, match="Choose a smaller learning rate"):
        train(tmp_path, [], scale=float("inf"))
