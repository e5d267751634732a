"""Settings that follow the number of passes over the training images.

With one or two passes, crops and flips slow down the training, and early layers need a higher
learning rate to adapt at all. With many passes, both would make the model overfit.
"""

from __future__ import annotations

import math

from vecaf.config import RunConfig

FEW, MANY = 2, 8  # passes up to which, and from which, the settings are constant
DECAY_FOR_FEW, DECAY_FOR_MANY = 0.9, 0.75


def passes_over_images(config: RunConfig) -> int:
    """Return how often a run trains the vision model on an image that its first round selects."""
    continued = config.track == "labels-known" and config.training_images == "keep"
    return config.epochs * (config.rounds if continued else 1)


def augmentation_strength(config: RunConfig) -> float:
    """Return the strength of crops and flips, from 0 (none) to 1."""
    if config.augmentation != "auto":
        return float(config.augmentation == "full")
    return _share_of_many(passes_over_images(config))


def layer_decay(config: RunConfig) -> float:
    """Return the factor of the learning rate from each layer group to the group before it."""
    if config.layer_decay:
        return config.layer_decay
    share = _share_of_many(passes_over_images(config))
    return DECAY_FOR_FEW + share * (DECAY_FOR_MANY - DECAY_FOR_FEW)


def _share_of_many(passes: int) -> float:
    """Return 0 for up to FEW passes, 1 from MANY, and values between on a logarithmic scale."""
    share = math.log(passes / FEW) / math.log(MANY / FEW)
    return min(1.0, max(0.0, share))
