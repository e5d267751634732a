"""The cost of a run before its launch: labels, batches, minutes and memory.

Counts follow from the configuration. Seconds follow from measurements on this device: a probe (the
task `cost`), or earlier runs of the same kind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vecaf.augmentation.learned import COPIES
from vecaf.config import RunConfig

HEAD_EPOCHS_BEFORE_FULL = 30  # features are in memory: the head takes seconds, not minutes


@dataclass(frozen=True)
class RunSizes:
    """Numbers of images of a run.

    Attributes
    ----------
    budget
        Selected per round.
    pool, val, test
        In each split.
    images
        In the whole dataset.
    not_embedded
        Without features in the cache.
    first_round
        Images of a saved selection, which the first round uses in place of the budget.
    """

    budget: int
    pool: int
    val: int
    test: int
    images: int
    not_embedded: int
    first_round: int | None = None

    def labeled(self, number: int) -> int:
        """Return the number of labeled images after round `number`."""
        first = self.budget if self.first_round is None else self.first_round
        return first + self.budget * (number - 1)


@dataclass(frozen=True)
class Speed:
    """Measurements on this device with one model and image size.

    Attributes
    ----------
    head_step, full_step
        Seconds of an optimizer step on the head and on the whole model; 0 if not trained.
    images_per_second
        Throughput of the model without training.
    select_per_thousand
        Seconds of one selection per 1,000 pool images.
    memory_bytes
        Peak memory of the process; 0 if not measured.
    feature_dim
        Features per image.
    """

    head_step: float
    full_step: float
    images_per_second: float
    select_per_thousand: float
    memory_bytes: int
    feature_dim: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Cost:
    """The cost of a run.

    Attributes
    ----------
    labels
        Labeled images after the last round.
    batches
        Optimizer steps over all rounds.
    seconds, memory_bytes
        None without a measurement.
    """

    labels: int
    batches: int
    seconds: float | None = None
    memory_bytes: int | None = None


def batches_per_round(config: RunConfig, sizes: RunSizes) -> list[int]:
    """Count the optimizer steps of each round.

    This is an upper bound: early stopping takes fewer steps. So do target words that the VLM's
    projection doesn't know, or that don't move features.
    """
    steps = []
    for number in range(1, config.rounds + 1):
        images = _training_images(config, sizes, number)
        rows = images * _rows_per_image(config)
        if config.mode == "head-only":
            steps.append(config.epochs * math.ceil(rows / config.batch_size))
            continue
        full = config.epochs * math.ceil(images / config.batch_size)
        steps.append(full + _head_steps(config, rows, number))
    return steps


def count_cost(config: RunConfig, sizes: RunSizes) -> Cost:
    """Return the cost without seconds and memory."""
    return Cost(sizes.labeled(config.rounds), sum(batches_per_round(config, sizes)))


def cost_from_speed(config: RunConfig, sizes: RunSizes, speed: Speed) -> Cost:
    """Estimate the cost from a probe: embedding, selection, training and testing.

    When the whole model is trained, it computes the validation images after each epoch, the pool
    before each later selection, and the whole dataset after the last round.
    """
    counted = count_cost(config, sizes)
    selection = config.rounds * speed.select_per_thousand * sizes.pool / 1000
    images, head_steps = sizes.not_embedded, counted.batches
    if config.mode != "head-only":
        head_steps = sum(
            _head_steps(
                config, _training_images(config, sizes, number) * _rows_per_image(config), number
            )
            for number in range(1, config.rounds + 1)
        )
        validated = config.epochs * config.rounds * sizes.val
        between_rounds = (config.rounds - 1) * (sizes.pool + sizes.val + sizes.test)
        images += validated + between_rounds + sizes.images
    seconds = (
        images / speed.images_per_second
        + selection
        + head_steps * speed.head_step
        + (counted.batches - head_steps) * speed.full_step
    )
    features = 3 * 4 * sizes.images * speed.feature_dim  # raw, centered, and one working copy
    memory = speed.memory_bytes + features if speed.memory_bytes else None
    return Cost(counted.labels, counted.batches, seconds, memory)


def cost_from_rounds(
    config: RunConfig, sizes: RunSizes, rounds: Sequence[tuple[int, float]]
) -> Cost:
    """Estimate the cost from earlier rounds of the same kind on the same dataset.

    Fits seconds per round and seconds per batch by least squares, both at least 0. If the rounds
    don't determine both, all time counts as time of the batches.

    Parameters
    ----------
    config, sizes
        Of the new run.
    rounds
        Batches and seconds of each earlier round.
    """
    counted = count_cost(config, sizes)
    steps, seconds = np.array(rounds, dtype=np.float64).reshape(-1, 2).T
    if not len(steps) or not steps.sum():
        return counted
    per_round, per_batch = 0.0, float(seconds.sum() / steps.sum())
    if len(np.unique(steps)) > 1:
        design = np.stack([np.ones_like(steps), steps], axis=1)
        fitted = np.linalg.lstsq(design, seconds, rcond=None)[0]
        if fitted[0] > 0 and fitted[1] > 0:
            per_round, per_batch = (float(value) for value in fitted)
        elif fitted[1] <= 0:
            per_round, per_batch = float(seconds.mean()), 0.0
    total = per_round * config.rounds + per_batch * counted.batches
    return Cost(counted.labels, counted.batches, total)


def _training_images(config: RunConfig, sizes: RunSizes, number: int) -> int:
    """Return the number of images that round `number` trains on."""
    labeled = sizes.labeled(number)
    return labeled if config.training_images == "keep" or number == 1 else sizes.budget


def _rows_per_image(config: RunConfig) -> int:
    """Return the number of rows that a head trains on for each image: see `TextGuidance.extra`."""
    captioned = bool(config.caption_weight) and config.train_on_captions == "yes"
    return 1 + captioned + (COPIES if config.target_words else 0)


def _head_steps(config: RunConfig, rows: int, number: int) -> int:
    """Return the steps on the head before the whole model trains, in a round that needs them."""
    if number > 1 and config.track == "labels-known":
        return 0
    return HEAD_EPOCHS_BEFORE_FULL * math.ceil(rows / config.batch_size)
