"""What a head starts from, if the run leaves the choice to the studio."""

from __future__ import annotations

from dataclasses import replace

from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples

IMAGES_PER_FEATURE = 6  # class means lose 2 points of accuracy at 4, and gain 0.7 at 8


def with_head_init(config: RunConfig, samples: Samples, features: int) -> RunConfig:
    """Replace `head_init="auto"` by what it stands for.

    In the label-free track, that is the names of the classes, because few labels are known. In the
    labels-known track, it is the class means of the pool. Before the training of a whole model,
    class means reduce the accuracy if the pool is small, so full and LoRA mode use them only if
    the pool has at least IMAGES_PER_FEATURE labeled images for each of the model's `features`, and
    class names otherwise (`benchmarks/README.md`, *Start of the classifier*).
    """
    if config.head_init != "auto":
        return config
    labeled = int((samples.labels[samples.pool] >= 0).sum())
    enough = config.mode == "head-only" or labeled >= IMAGES_PER_FEATURE * features
    means = config.track == LABELS_KNOWN and enough
    return replace(config, head_init="means" if means else "text")
