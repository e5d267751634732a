"""What a head starts from, if the run leaves the choice to the studio."""

from __future__ import annotations

from dataclasses import replace

from vecaf.config import LABEL_FREE, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.selection import STRATEGIES

IMAGES_PER_FEATURE = {"head-only": 1, "full": 6, "lora": 6}


def with_head_init(config: RunConfig, samples: Samples, features: int) -> RunConfig:
    """Replace `head_init="auto"` by what it stands for.

    In the label-free track, few labels are known, so it stands for class names. In the labels-known
    track, it stands for class means if the pool has more labeled images than IMAGES_PER_FEATURE
    times the number of the model's `features`:

    - Class means fit most images of a smaller pool closely, so losses say little. On the
      705 images of the demo, the median loss is 0.04 nats, compared with 1.76 from class names.
    - Before the training of a whole model, class means lose 2 points of accuracy at 4 images per
      feature, and gain 0.7 at 8 (`benchmarks/README.md`, *Start of the classifier*).

    On a smaller pool, it stands for class names in head-only mode, and for zeros in the other
    modes. A strategy that needs a model gets class names in all modes.
    """
    if config.head_init != "auto":
        return config
    return replace(config, head_init=_start(config, samples, features))


def _start(config: RunConfig, samples: Samples, features: int) -> str:
    if config.track == LABEL_FREE:
        return "text"
    labeled = int((samples.labels[samples.pool] >= 0).sum())
    if labeled > IMAGES_PER_FEATURE[config.mode] * features:
        return "means"
    needs_model = STRATEGIES[config.strategy].info.needs_model
    return "text" if needs_model or config.mode == "head-only" else "zeros"
