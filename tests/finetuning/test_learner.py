"""What a learner makes of what it starts from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders.pvm import load_pvm
from vecaf.finetuning.learner import HeadLearner, Start, Watch
from vecaf.finetuning.model import Centred, Head
from vecaf.finetuning.report import SILENT
from vecaf.store import TEST, TRAIN, VAL

WATCH = Watch(progress=lambda done, total: None, should_stop=lambda: False)
KNOWN = RunConfig(
    track=LABELS_KNOWN, head_init="means", schedule="run", rounds=2, epochs=10, batch_size=64,
    head_lr=0.06, head_weight_decay=0.03,
)  # fmt: skip
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


def test_rows_that_the_start_has_not_seen_count_by_what_it_leaves_of_them() -> None:
    head = Head(torch.zeros(4), 4)  # knows nothing
    extra, labels = torch.eye(4), torch.arange(4)
    assert Start(head, left=0.1).rate(12, extra, labels) == pytest.approx((12 * 0.1 + 4) / 16)
    assert Start(head, left=0.1).rate(12, extra[:0], labels[:0]) == pytest.approx(0.1)
    assert Start(head).rate(12, extra, labels) == 1
