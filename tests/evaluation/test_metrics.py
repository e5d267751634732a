"""Metrics, checked against PyTorch and known cases."""

from __future__ import annotations

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal

from vecaf.arrays import Floats, Labels
from vecaf.evaluation import losses, metrics


def random_logits(n: int = 200, k: int = 5) -> tuple[Floats, Labels]:
    rng = np.random.default_rng(0)
    return rng.normal(0, 3, (n, k)).astype(np.float32), rng.integers(0, k, n)


def test_losses_match_pytorch() -> None:
    logits, labels = random_logits()
    tensors = torch.from_numpy(logits), torch.from_numpy(labels)
    expected = torch.nn.functional.cross_entropy(*tensors, reduction="none").numpy()
    assert_allclose(losses.cross_entropy(logits, labels), expected, rtol=1e-5, atol=1e-6)
    entropy = torch.distributions.Categorical(logits=tensors[0]).entropy().numpy()
    assert_allclose(losses.expected_cross_entropy(logits), entropy, rtol=1e-4, atol=1e-6)


def test_huge_logits_stay_finite() -> None:
    logits = np.array([[1e4, -1e4], [0, 0]], np.float32)
    assert np.isfinite(losses.cross_entropy(logits, np.array([1, 0]))).all()
    assert np.isfinite(losses.expected_cross_entropy(logits)).all()


def test_the_confusion_matrix_counts_every_image_once() -> None:
    logits, labels = random_logits()
    matrix = metrics.confusion(logits, labels)
    assert_array_equal(matrix.sum(axis=1), np.bincount(labels, minlength=5))
    assert matrix.trace() / matrix.sum() == metrics.accuracy(logits, labels)
    assert metrics.confusion(np.array([[0.0, 1.0]], np.float32), np.array([0]))[0, 1] == 1


def test_calibration_error_of_known_cases() -> None:
    sure = np.array([[50.0, 0.0]] * 10, np.float32)
    correct, half = np.zeros(10, np.int64), np.array([0, 1] * 5)
    assert metrics.calibration_error(sure, correct) < 1e-6
    assert_allclose(metrics.calibration_error(sure, half), 0.5, atol=1e-6)
    assert metrics.measure(sure[:0], correct[:0]) == {}
