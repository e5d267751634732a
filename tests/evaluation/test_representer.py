"""Representer values sum to the logit, and removing the top images lowers the logit most."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from vecaf.arrays import softmax
from vecaf.evaluation.attribution.representer import positive_shares, representer_values

Floats = np.ndarray


def blobs(seed: int = 0, n: int = 60) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    centers = rng.normal(size=(3, 16))
    features = centers[labels] + 1.2 * rng.normal(size=(n, 16))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return features.astype(np.float32), labels.astype(np.int64)


def fit(features: Floats, labels: Floats, decay: float) -> Floats:
    """Minimize the mean cross-entropy + decay · |W|²; returns weights (classes, d)."""
    weights = np.zeros((3, features.shape[1]))
    target = np.eye(3)[labels]
    for _ in range(4000):
        residual = softmax((features @ weights.T).astype(np.float32)) - target
        weights -= 1.0 * (residual.T @ features / len(labels) + 2 * decay * weights)
    return weights


def test_the_values_sum_to_the_logit() -> None:
    """Theorem 3.1 of Yeh et al. 2018 holds at a stationary point."""
    features, labels = blobs()
    decay = 0.01
    weights = fit(features, labels, decay)
    logits = (features @ weights.T).astype(np.float32)
    query = blobs(seed=0, n=63)[0][-1]
    for class_index in range(3):
        values = representer_values(features, logits, labels, query, class_index)
        assert_allclose(
            values.sum() / (2 * decay * len(labels)), query @ weights[class_index], atol=1e-3
        )


def test_removing_the_highest_values_lowers_the_logit_most() -> None:
    features, labels = blobs(seed=3)
    weights = fit(features, labels, 0.01)
    logits = (features @ weights.T).astype(np.float32)
    rng = np.random.default_rng(0)
    query = features[7] + 0.1 * rng.normal(size=16).astype(np.float32)
    class_index = int((query @ weights.T).argmax())
    order = np.argsort(-representer_values(features, logits, labels, query, class_index))

    def logit_without(rows: Floats) -> float:
        left = np.setdiff1d(np.arange(len(labels)), rows)
        again = fit(features[left], labels[left], 0.01)
        return float(query @ (again[class_index] - again.mean(axis=0)))

    without = logit_without(order[:6])
    others = [logit_without(rng.choice(order[6:], 6, replace=False)) for _ in range(5)]
    assert without < min(others)


def test_shares_are_fractions_of_the_positive_values() -> None:
    assert_allclose(positive_shares(np.array([3, -5, 1, 0], np.float32)), [0.75, 0, 0.25, 0])
    assert_allclose(positive_shares(np.array([-1, -2], np.float32)), [0, 0])
