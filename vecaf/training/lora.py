"""Low-rank adapters (LoRA): train few weights and freeze the rest.

Each linear layer and each ungrouped convolution of the backbone gets an adapter: a product of two
low-rank matrices, which starts at zero. After training, the product is added to the weights of the
layer, so the saved and exported model has the architecture of the original.

References
----------
Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models, arXiv 2106.09685.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

from vecaf.errors import InputError
from vecaf.training.model import Classifier


def with_adapters(classifier: Classifier, rank: int, seed: int) -> Classifier:
    """Return a copy of `classifier` whose only trainable weights are adapters and the head.

    Before training, it computes the same outputs as `classifier`.

    Parameters
    ----------
    classifier
        The model; it stays unchanged.
    rank
        Of the adapters.
    seed
        Seed of their random factor.

    Raises
    ------
    InputError
        If no layer of the backbone supports adapters.
    """
    adapted = deepcopy(classifier)
    names = [name for name, layer in adapted.backbone.named_modules() if _supports_adapter(layer)]
    if not names:
        raise InputError(
            "This model has no layer that supports LoRA adapters. Use mode 'full' or 'head-only'."
        )
    config = LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules=names)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # one of the two matrices starts at random values
        inject_adapter_in_model(config, adapted.backbone)
    return adapted


def merge_adapters(adapted: Classifier) -> Classifier:
    """Return a copy in which each adapter is added to the weights of its layer."""
    plain = deepcopy(adapted)
    for name, layer in list(plain.backbone.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge()
            parent, _, child = name.rpartition(".")
            setattr(plain.backbone.get_submodule(parent), child, layer.get_base_layer())
    for parameter in plain.parameters():
        parameter.requires_grad_(True)
    return plain


def _supports_adapter(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.groups == 1
    return isinstance(layer, nn.Linear)
