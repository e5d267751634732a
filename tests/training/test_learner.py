"""The initial head and its learning rate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.config import LABEL_FREE, LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders.vision_models import load_pvm
from vecaf.store import TEST, TRAIN, VAL
from vecaf.training.context import TrainingContext
from vecaf.training.learner import Learner
from vecaf.training.model import CenteredFeatures
from vecaf.training.reporter import SILENT, Monitor

MONITOR = Monitor(progress=lambda done, total: None, should_stop=lambda: False)
KNOWN = RunConfig(
    track=LABELS_KNOWN, head_init="means", schedule="run", rounds=2, epochs=10, batch_size=64,
    head_lr=0.06, head_weight_decay=0.03,
)  # fmt: skip
WITH_WORDS = replace(KNOWN, target_words="in thick fog")
SPLITS = {TRAIN: 800, VAL: 200, TEST: 2000}


def made_up(classes: int = 5, d: int = 300) -> tuple[Samples, NDArray[np.float32]]:
    """Make clusters in so many dimensions that a linear model can fit the pool exactly."""
    rng = np.random.default_rng(1)
    n = sum(SPLITS.values())
    labels = np.arange(n) % classes
    features = 0.2 * rng.normal(size=(classes, d))[labels] + rng.normal(size=(n, d))
    names = [f"{row:064x}" for row in range(n)]
    samples = Samples(
        classes=tuple("abcde"[:classes]),
        ids=np.arange(n),
        keys=tuple(names),
        paths=tuple(Path(name) for name in names),
        splits=np.repeat(list(SPLITS), list(SPLITS.values())),
        labels=labels,
        captions=(None,) * n,
        short_sides=np.full(n, 32),
        excluded=np.zeros(n, dtype=bool),
    )
    return samples, features.astype(np.float32)


def learner_of(config: RunConfig, folder: Path) -> Learner:
    samples, features = made_up()
    centered = CenteredFeatures.of(features, samples.pool, "cpu")
    pvm = load_pvm("efficientnet_lite0")
    return Learner(TrainingContext(config, samples, centered, pvm, "cpu", folder, MONITOR))


def accuracy(learner: Learner) -> float:
    samples = learner.context.samples
    rows = samples.rows(TEST)
    return float((learner.logits(rows).argmax(axis=1) == samples.labels[rows]).mean())


def test_training_does_not_undo_a_start_that_fits(tmp_path: Path) -> None:
    learner = learner_of(KNOWN, tmp_path)
    samples = learner.context.samples
    pool, val = samples.pool, samples.rows(VAL)
    learner.outputs(pool)
    before = accuracy(learner)
    for number in (1, 2):
        learner.learn(number, pool, np.empty((0, 300), np.float32), val, SILENT)
    assert accuracy(learner) >= before - 0.01


def test_few_images_and_target_words_train_at_the_full_rate(
    tmp_path: Path,
) -> None:
    def rate_factor(config: RunConfig, rows: NDArray[np.int64]) -> float:
        return learner_of(config, tmp_path).head_training.initial(rows).rate_factor

    pool = made_up()[0].pool
    assert rate_factor(KNOWN, pool) < 0.9
    assert rate_factor(WITH_WORDS, pool) == 1
    label_free = replace(KNOWN, track=LABEL_FREE, schedule="round")
    assert rate_factor(label_free, pool[:300]) == 1
    assert rate_factor(label_free, pool[:301]) < 0.9
