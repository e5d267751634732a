"""A head's step in closed form is the one that autograd takes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vecaf.config import RunConfig
from vecaf.errors import VecafError
from vecaf.training.batches import FeatureBatches
from vecaf.training.loop import Hooks, fit
from vecaf.training.model import Head
from vecaf.training.progress import SILENT
from vecaf.training.recipe import train_head


def some_head() -> Head:
    torch.manual_seed(1)
    head = Head(torch.zeros(24), 5)
    torch.nn.init.normal_(head.linear.weight)
    torch.nn.init.normal_(head.linear.bias)
    return head


def some_rows() -> tuple[Tensor, Tensor]:
    torch.manual_seed(2)
    return F.normalize(torch.randn(70, 24)), torch.randint(0, 5, (70,))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradients_are_those_of_autograd(smoothing: float) -> None:
    head, (rows, targets) = some_head(), some_rows()
    loss = F.cross_entropy(head(rows), targets, label_smoothing=smoothing)
    loss.backward()
    expected = [parameter.grad for parameter in head.parameters()]
    head.zero_grad()
    closed = head.descend(rows, targets, smoothing)
    torch.testing.assert_close(closed, loss.detach())
    for parameter, gradient in zip(head.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-7, rtol=1e-5)


def test_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    def trained(name: str, closed: bool) -> Tensor:
        head, (rows, targets) = some_head(), some_rows()
        batches = FeatureBatches(rows, targets, 16, 3)
        fit(
            head,
            torch.optim.AdamW(head.parameters(), lr=0.02, fused=True),
            batches,
            epochs=4,
            steps_per_epoch=batches.order.steps_per_epoch,
            hooks=Hooks(
                on_start=lambda step: None,
                on_loss=lambda step, loss: None,
                on_epoch=lambda step, epoch, loss: loss,
                on_best=lambda: None,
                should_stop=lambda: False,
                publishing=nullcontext,
            ),
            checkpoint=tmp_path / name,
            label_smoothing=0.1,
            descend=head.descend if closed else None,
        )
        return head.linear.weight.detach()

    plain = trained("plain", closed=False)
    torch.testing.assert_close(trained("closed", closed=True), plain, atol=2e-5, rtol=1e-4)
    assert float((plain - some_head().linear.weight.detach()).abs().max()) > 0.1


def test_of_equal_accuracies_the_lowest_loss_is_kept_however_high(tmp_path: Path) -> None:
    head = Head(torch.zeros(24), 50)
    labels = torch.arange(50)
    rows = F.normalize(torch.randn(50, 24, generator=torch.Generator().manual_seed(4)))
    losses = []
    report = replace(
        SILENT, values=lambda step, values: losses.append(values.get("val_loss", torch.inf))
    )
    config = RunConfig(epochs=6, batch_size=25, head_lr=0.002)
    train_head(head, rows, labels, rows[:1], labels[:1], config, 0, tmp_path, report)
    with torch.no_grad():
        kept = float(F.cross_entropy(head(rows[:1]), labels[:1]))
    assert kept == pytest.approx(min(losses)) and 1 < kept < losses[0] - 0.01


def test_weights_that_the_last_step_made_infinite_are_not_kept(tmp_path: Path) -> None:
    head, (rows, targets) = some_head(), some_rows()
    kept: list[int] = []
    with pytest.raises(VecafError, match="diverged"):
        fit(
            head,
            torch.optim.SGD(head.parameters(), lr=3e38, momentum=0.0),
            lambda step: (1e3 * rows, targets),
            epochs=1,
            steps_per_epoch=1,
            hooks=Hooks(
                on_start=lambda step: None,
                on_loss=lambda step, loss: None,
                on_epoch=lambda step, epoch, loss: 1.0,
                on_best=lambda: kept.append(1),
                should_stop=lambda: False,
                publishing=nullcontext,
            ),
            checkpoint=tmp_path / "checkpoint",
        )
    assert not kept
