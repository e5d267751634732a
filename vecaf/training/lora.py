"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685): few weights learn, the rest stay.

Every linear layer and every ungrouped convolution of the backbone gets a product of two thin
matrices beside it, which starts at zero. Once trained it is added to the layer's own weights, so
that what is kept and exported is a plain model of the same size.
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
    """A copy whose backbone learns through adapters of `rank` alone; the head learns as before.

    It computes what `classifier` does until it is trained. Raises InputError for a backbone without
    a layer that adapters fit.
    """
    adapted = deepcopy(classifier)
    names = [name for name, layer in adapted.backbone.named_modules() if _fits(layer)]
    if not names:
        raise InputError(
            "This model has no linear layer and no plain convolution for adapters; use mode 'full'."
        )
    config = LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules=names)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # one factor starts at random
        inject_adapter_in_model(config, adapted.backbone)
    return adapted


def merged(adapted: Classifier) -> Classifier:
    """A copy with the adapters added to the weights that they stand beside: a plain model."""
    plain = deepcopy(adapted)
    for name, layer in list(plain.backbone.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge()
            parent, _, child = name.rpartition(".")
            setattr(plain.backbone.get_submodule(parent), child, layer.get_base_layer())
    for parameter in plain.parameters():
        parameter.requires_grad_(True)
    return plain


def _fits(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.groups == 1
    return isinstance(layer, nn.Linear)
