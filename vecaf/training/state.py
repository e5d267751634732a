"""The state of a training stage: its progress and the moving average of its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class TrainState:
    """Progress of a stage. `best` is the validation score of the kept weights."""

    step: int = 0
    best: float = -math.inf
    loss_sum: float = 0.0  # over the current epoch's steps so far
    stale: int = 0  # epochs since the best one


class AveragedWeights:
    """Exponential moving average of a model's trainable weights.

    The decay is warmed up as min(decay, (1 + updates) / (10 + updates)), so that short trainings
    are not dominated by the starting weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights = {name: value.detach().clone() for name, value in trainable(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        current = trainable(model)
        names = list(self.weights)
        torch._foreach_lerp_(
            [self.weights[name] for name in names],
            [current[name].detach() for name in names],
            1 - decay,
        )


def trainable(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters that training changes, by name."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}
