"""A classifier made from text scores: it reproduces them and averages out their errors."""

from __future__ import annotations

import numpy as np

from vecaf.augmentation.text_classifier import text_classifier


def scene(seed: int = 0, n: int = 600, d: int = 24, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows around k directions, and the class of each."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    rows = 2 * np.eye(d)[labels] + rng.normal(size=(n, d)) / 2
    rows -= rows.mean(axis=0)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def test_correct_scores_give_a_correct_classifier() -> None:
    rows, labels = scene()
    weights = text_classifier(rows, np.eye(4, dtype=np.float32)[labels])
    assert weights.shape == (4, 24) and weights.dtype == np.float32
    assert ((rows @ weights.T).argmax(axis=1) == labels).mean() > 0.95
    assert np.isclose((rows @ weights.T).std(), 1, atol=1e-3)


def test_errors_on_single_images_average_out() -> None:
    rows, labels = scene()
    rng = np.random.default_rng(1)
    noisy = np.where(rng.random(len(labels)) < 0.5, labels, rng.integers(4, size=len(labels)))
    scores = np.eye(4, dtype=np.float32)[noisy] + 0.3  # one name is similar to all images
    scores[:, 2] += 5
    guessed = (rows @ text_classifier(rows, scores).T).argmax(axis=1)
    assert (noisy == labels).mean() < 0.7
    assert (guessed == labels).mean() > 0.9


def test_equal_scores_give_zero_weights() -> None:
    rows, _ = scene()
    assert not text_classifier(rows, np.full((len(rows), 4), 0.2, dtype=np.float32)).any()
