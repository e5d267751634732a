"""What a learner makes of what it starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.config import LABEL_FREE, LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders.pvm import load_pvm
from vecaf.store import TEST, TRAIN, VAL
from vecaf.training.learner import HeadLearner, Watch
from vecaf.training.model import Centred
from vecaf.training.progress import SILENT

WATCH = Watch(progress=lambda done, total: None, should_stop=lambda: False)
KNOWN = RunConfig(
    track=LABELS_KNOWN, head_init="means", schedule="run", rounds=2, epochs=10, batch_size=64,
    head_lr=0.06, head_weight_decay=0.03,
)  # fmt: skip
TOLD = replace(KNOWN, target_words="in thick fog")
SPLITS = {TRAIN: 800, VAL: 200, TEST: 2000}


def made_up(classes: int = 5, d: int = 300) -> tuple[Samples, NDArray[np.float32]]:
    """Clusters in so many dimensions that the rows of the pool can be learnt by heart."""
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


def learner_of(config: RunConfig, folder: Path) -> HeadLearner:
    samples, features = made_up()
    centred = Centred.of(features, samples.pool, "cpu")
    return HeadLearner(
        config, samples, centred, load_pvm("efficientnet_lite0"), "cpu", folder, WATCH
    )


def accuracy(learner: HeadLearner) -> float:
    rows = learner.samples.rows(TEST)
    return float((learner.logits(rows).argmax(axis=1) == learner.samples.labels[rows]).mean())


def test_training_does_not_undo_a_start_that_fits(tmp_path: Path) -> None:
    learner = learner_of(KNOWN, tmp_path)
    pool, val = learner.samples.pool, learner.samples.rows(VAL)
    learner.look(pool)
    before = accuracy(learner)
    for number in (1, 2):
        learner.learn(number, pool, np.empty((0, 300), np.float32), val, SILENT)
    assert accuracy(learner) >= before - 0.01


def test_few_picks_and_words_for_another_domain_are_learnt_at_the_full_rate(
    tmp_path: Path,
) -> None:
    known, told = (learner_of(config, tmp_path) for config in (KNOWN, TOLD))
    pool = known.samples.pool
    assert known.start(pool).rate < 0.9
    assert told.start(pool).rate == 1
    few = learner_of(replace(KNOWN, track=LABEL_FREE, schedule="round"), tmp_path)
    assert few.start(pool[:300]).rate == 1
    assert few.start(pool[:301]).rate < 0.9
