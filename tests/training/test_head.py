"""Closed-form gradients of a head equal those of autograd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vecaf.config import RunConfig
from vecaf.training.batches import FeatureBatches, LabeledFeatures
from vecaf.training.model import Head
from vecaf.training.reporter import SILENT
from vecaf.training.stages import Stage, train_head
from vecaf.training.trainer import Callbacks, Trainer, TrainerConfig


def some_head() -> Head:
    torch.manual_seed(1)
    head = Head(torch.zeros(24), 5)
    torch.nn.init.normal_(head.linear.weight)
    torch.nn.init.normal_(head.linear.bias)
    return head


def some_rows() -> LabeledFeatures:
    torch.manual_seed(2)
    return LabeledFeatures(F.normalize(torch.randn(70, 24)), torch.randint(0, 5, (70,)))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradients_equal_those_of_autograd(smoothing: float) -> None:
    head, train = some_head(), some_rows()
    loss = F.cross_entropy(head(train.rows), train.labels, label_smoothing=smoothing)
    loss.backward()
    expected = [parameter.grad for parameter in head.parameters()]
    head.zero_grad()
    closed = head.gradients(train.rows, train.labels, smoothing)
    torch.testing.assert_close(closed, loss.detach())
    for parameter, gradient in zip(head.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-7, rtol=1e-5)


def test_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    def trained(name: str, closed: bool) -> Tensor:
        head, train = some_head(), some_rows()
        optimizer = torch.optim.AdamW(head.parameters(), lr=0.02, fused=True)
        config = TrainerConfig(epochs=4, checkpoint=tmp_path / name, label_smoothing=0.1)
        batches = FeatureBatches(train, 16, seed=3)
        gradients = head.gradients if closed else None
        Trainer(head, optimizer, batches, config, Callbacks(), gradients=gradients).run()
        return head.linear.weight.detach()

    plain = trained("plain", closed=False)
    torch.testing.assert_close(trained("closed", closed=True), plain, atol=2e-5, rtol=1e-4)
    assert float((plain - some_head().linear.weight.detach()).abs().max()) > 0.1


def test_of_equal_accuracies_the_lowest_loss_is_saved_however_high(tmp_path: Path) -> None:
    head = Head(torch.zeros(24), 50)
    labels = torch.arange(50)
    rows = F.normalize(torch.randn(50, 24, generator=torch.Generator().manual_seed(4)))
    losses = []
    reporter = replace(
        SILENT, metrics=lambda step, values: losses.append(values.get("val_loss", torch.inf))
    )
    config = RunConfig(epochs=6, batch_size=25, head_lr=0.002)
    val = LabeledFeatures(rows[:1], labels[:1])
    train_head(head, LabeledFeatures(rows, labels), val, Stage(config, 0, tmp_path), reporter)
    with torch.no_grad():
        saved = float(F.cross_entropy(head(rows[:1]), labels[:1]))
    assert saved == pytest.approx(min(losses)) and 1 < saved < losses[0] - 0.01
