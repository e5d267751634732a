"""The fit of a head that learns while a person labels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional

from vecaf.arrays import Floats, Labels, unit_rows
from vecaf.training.logistic import fit_logistic

CLASSES = 3


def clusters(n: int, seed: int = 0) -> tuple[Floats, Labels]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    return unit_rows(np.eye(CLASSES, 20)[labels] * 4 + rng.standard_normal((n, 20))), labels


def test_a_few_labels_separate_the_classes() -> None:
    rows, labels = clusters(300)
    weights = fit_logistic(rows[:15], labels[:15], np.zeros((15, CLASSES), np.float32))
    assert ((rows @ weights.T).argmax(axis=1) == labels).mean() > 0.9


def test_the_start_does_not_change_the_result_so_undone_labels_are_forgotten() -> None:
    rows, labels = clusters(40)
    offset = np.zeros((40, CLASSES), np.float32)
    first = fit_logistic(rows[:39], labels[:39], offset[:39])
    more = fit_logistic(rows, (labels + 1) % CLASSES, offset, first)
    again = fit_logistic(rows[:39], labels[:39], offset[:39], more)
    assert np.abs(more - first).max() > 0.5
    assert_allclose(again, first, atol=0.03)


def test_without_labels_the_offset_decides() -> None:
    empty = np.empty((0, 20), np.float32)
    weights = fit_logistic(empty, np.empty(0, np.int64), np.empty((0, CLASSES), np.float32))
    assert_array_equal(weights, np.zeros((CLASSES, 20)))


def test_labels_of_one_class_change_only_images_like_them() -> None:
    rows, labels = clusters(200)
    some = np.flatnonzero(labels == 0)[:5]
    offset = 3 * np.eye(CLASSES, dtype=np.float32)[labels]  # right everywhere
    weights = fit_logistic(rows[some], labels[some], offset[some])
    predicted = (offset + rows @ weights.T).argmax(axis=1)
    assert (predicted == labels).mean() > 0.95


def test_the_loss_is_minimal() -> None:
    rows, labels = clusters(60)
    weights = fit_logistic(rows, labels, np.zeros((60, CLASSES), np.float32), penalty=0.5)

    def loss(weights: Floats) -> float:
        logits = torch.from_numpy(rows @ weights.T)
        entropy = functional.cross_entropy(logits, torch.from_numpy(labels), reduction="sum")
        return float(entropy) + 0.25 * float((weights**2).sum())

    rng = np.random.default_rng(1)
    for _ in range(20):
        step = 0.1 * rng.standard_normal(weights.shape).astype(np.float32)
        assert loss(weights + step) > loss(weights)
