"""The state of a training: its progress, and the moving average of its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class TrainState:
    """Progress of a training. Checkpoints store these fields by name.

    Attributes
    ----------
    step
        Finished optimizer steps.
    best
        Validation score of the saved weights.
    loss_sum
        Sum of the losses of the current epoch so far.
    stale
        Epochs since the best one.
    """

    step: int = 0
    best: float = -math.inf
    loss_sum: float = 0.0
    stale: int = 0


class AveragedWeights:
    """Exponential moving average of a model's trainable weights.

    The decay rises as min(decay, (1 + updates) / (10 + updates)): otherwise the initial weights
    would dominate the average of a short training.

    Parameters
    ----------
    model
        Its current weights start the average.
    decay
        Weight of the old average in each update, 0 to 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights = {name: value.detach().clone() for name, value in trainable(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Add the current weights of `model` to the average."""
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
