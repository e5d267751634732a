"""What a run will cost before it is launched: labels, batches, minutes and memory.

Counts follow from the configuration. Seconds come from measurements on this device: a probe (the
task `cost`), or what earlier runs of the same kind took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vecaf.augmentation.learned import COPIES
from vecaf.config import RunConfig

HEAD_EPOCHS_BEFORE_FULL = 30  # features are in memory: the head costs seconds, not minutes


@dataclass(frozen=True)
class Sizes:
    """What the run works on: `budget` images a round from a pool; `fresh` have no features yet."""

    budget: int
    pool: int
    val: int
    test: int
    images: int  # all of the dataset
    fresh: int
    first: int | None = None  # images of the first round, where a saved selection gives them

    def labeled(self, number: int) -> int:
        """Images with a label after round `number`."""
        first = self.budget if self.first is None else self.first
        return first + self.budget * (number - 1)


@dataclass(frozen=True)
class Speed:
    """Measured on this device with this model and image size.

    Seconds of one optimizer step on the head and on the whole model (0 where not trained),
    images a second through the model, seconds of one selection per 1,000 pool images, and what
    the process needed at most, in bytes (0 where not measured).
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
    """`seconds` and `memory_bytes` are None where nothing was measured."""

    labels: int
    batches: int
    seconds: float | None = None
    memory_bytes: int | None = None


def batches_of(config: RunConfig, sizes: Sizes) -> list[int]:
    """Optimizer steps of each round: it trains on all that was picked so far, or on its own picks
    where they are replaced, and a head on as many caption-moved features where text pulls, and on
    COPIES as many where there are target words (fewer with a VLM that learned none, or where the
    words move nothing). Full mode trains the head first, where it starts anew. With patience a
    round may take fewer.
    """
    steps = []
    for number in range(1, config.rounds + 1):
        images = _studied(config, sizes, number)
        rows = images * _versions(config)
        if config.mode == "head-only":
            steps.append(config.epochs * _ceil(rows, config.batch_size))
            continue
        full = config.epochs * _ceil(images, config.batch_size)
        steps.append(full + _head_steps(config, rows, number))
    return steps


def counted(config: RunConfig, sizes: Sizes) -> Cost:
    """The cost as far as it follows from the configuration alone."""
    return Cost(sizes.labeled(config.rounds), sum(batches_of(config, sizes)))


def by_speed(config: RunConfig, sizes: Sizes, speed: Speed) -> Cost:
    """The cost by a probe's measurements: embedding, selecting, training and testing added up.

    In full mode the validation images pass through the model after every epoch, those of the
    pool before every later selection, and all of the dataset's after the last round.
    """
    plain = counted(config, sizes)
    selecting = config.rounds * speed.select_per_thousand * sizes.pool / 1000
    passes, heads = 0, plain.batches
    if config.mode != "head-only":
        heads = sum(
            _head_steps(config, _studied(config, sizes, number) * _versions(config), number)
            for number in range(1, config.rounds + 1)
        )
        checks = config.epochs * config.rounds * sizes.val
        looks = (config.rounds - 1) * (sizes.pool + sizes.val + sizes.test)
        passes = checks + looks + sizes.images
    seconds = (
        (sizes.fresh + passes) / speed.images_per_second
        + selecting
        + heads * speed.head_step
        + (plain.batches - heads) * speed.full_step
    )
    features = 3 * 4 * sizes.images * speed.feature_dim  # raw, centred, and one more at work
    memory = speed.memory_bytes + features if speed.memory_bytes else None
    return Cost(plain.labels, plain.batches, seconds, memory)


def by_rounds(config: RunConfig, sizes: Sizes, rounds: Sequence[tuple[int, float]]) -> Cost:
    """The cost by earlier rounds of the same kind on the same dataset: (batches, seconds) each.

    Least squares for seconds a round and seconds a batch, neither below zero; with too little to
    tell the two apart, all is laid on the batches.
    """
    plain = counted(config, sizes)
    steps, seconds = np.array(rounds, dtype=np.float64).reshape(-1, 2).T
    if not len(steps) or not steps.sum():
        return plain
    a_round, a_batch = 0.0, float(seconds.sum() / steps.sum())
    if len(np.unique(steps)) > 1:
        design = np.stack([np.ones_like(steps), steps], axis=1)
        fitted = np.linalg.lstsq(design, seconds, rcond=None)[0]
        if fitted[0] > 0 and fitted[1] > 0:
            a_round, a_batch = (float(value) for value in fitted)
        elif fitted[1] <= 0:
            a_round, a_batch = float(seconds.mean()), 0.0
    return Cost(plain.labels, plain.batches, a_round * config.rounds + a_batch * plain.batches)


def _studied(config: RunConfig, sizes: Sizes, number: int) -> int:
    """Images that round `number` trains on."""
    labeled = sizes.labeled(number)
    return labeled if config.picks == "keep" or number == 1 else sizes.budget


def _versions(config: RunConfig) -> int:
    """Rows that a head learns for each image."""
    return 1 + (1 if config.text_pull else 0) + (COPIES if config.target_words else 0)


def _head_steps(config: RunConfig, rows: int, number: int) -> int:
    """Steps on the head before the whole model is trained: in round 1, or in all label-free."""
    if number > 1 and config.track == "labels-known":
        return 0
    return HEAD_EPOCHS_BEFORE_FULL * _ceil(rows, config.batch_size)


def _ceil(n: int, size: int) -> int:
    return -(-n // size)
