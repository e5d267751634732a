"""LoRA adapters start at zero, are the only weights that train, and are merged into the model."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vecaf.errors import InputError
from vecaf.training.lora import merge_adapters, with_adapters
from vecaf.training.model import Classifier, Head


def classifier() -> Classifier:
    """A plain convolution, a grouped one (which gets no adapter) and a linear layer."""
    torch.manual_seed(3)
    backbone = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6),
    )  # fmt: skip
    return Classifier(backbone, Head(torch.zeros(6), 4))


def images() -> torch.Tensor:
    return torch.rand(5, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def train(model: Classifier) -> None:
    """Take a few steps on all trainable parameters."""
    learning = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.5)
    for _ in range(3):
        loss = nn.functional.cross_entropy(model(images()), torch.arange(5) % 4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_adapters_change_nothing_until_they_learn_and_are_drawn_by_the_seed() -> None:
    plain = classifier()
    adapted = with_adapters(plain, 2, seed=7)
    assert torch.equal(adapted.features(images()), plain.features(images()))
    again, other = (with_adapters(plain, 2, seed=seed).state_dict() for seed in (7, 8))
    assert all(torch.equal(value, again[name]) for name, value in adapted.state_dict().items())
    assert any(not torch.equal(value, other[name]) for name, value in again.items())


def test_only_adapters_and_the_head_learn() -> None:
    adapted = with_adapters(classifier(), 2, seed=0)
    before = {name: value.clone() for name, value in adapted.state_dict().items()}
    train(adapted)
    learned = {name for name, value in adapted.state_dict().items()
               if not torch.equal(value, before[name])}  # fmt: skip
    assert any(".0.lora_" in name for name in learned) and any(
        ".5.lora_" in name for name in learned
    )
    assert all("lora_" in name or name.startswith("head.linear") for name in learned)


def test_merged_it_is_a_plain_model_that_computes_the_same() -> None:
    plain = classifier()
    adapted = with_adapters(plain, 2, seed=0)
    train(adapted)
    found = merge_adapters(adapted)
    assert found.state_dict().keys() == plain.state_dict().keys()
    assert all(one.requires_grad for one in found.parameters())
    torch.testing.assert_close(found(images()), adapted(images()))
    assert not torch.allclose(found(images()), plain(images()), atol=1e-3)
    train(adapted)  # only a copy was merged: the original keeps training as before
    assert not torch.allclose(found(images()), adapted(images()), atol=1e-4)


def test_a_model_without_a_fitting_layer_is_told_so() -> None:
    bare = Classifier(nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.Flatten()), classifier().head)
    with pytest.raises(InputError, match="mode 'full'"):
        with_adapters(bare, 2, seed=0)
