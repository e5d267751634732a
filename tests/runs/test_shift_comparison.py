"""Comparison of two models on shifted images: intervals and the resulting sentences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vecaf.evaluation.comparison import Difference, paired_over_images
from vecaf.runs.shift_comparison import clean_verdict, compare_level, verdict

Correct = NDArray[np.bool_]


def random_correct(n: int, share: float, seed: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).random(n) < share)


def difference(plain: Correct, shifted: Correct) -> Difference:
    found = paired_over_images(shifted, plain)
    assert found is not None
    return found


def test_a_level_holds_both_accuracies_and_the_paired_difference() -> None:
    plain = np.array([True, False, False, True])
    found = compare_level(3, plain, np.array([True, True, False, True]))
    assert (found.severity, found.images, found.plain, found.shifted) == (3, 4, 0.5, 0.75)
    assert found.difference == 0.25 and found.low <= 0.25 <= found.high
    same = compare_level(0, plain, plain)
    assert same.difference == 0 and same.low == -same.high < 0


def test_an_image_at_five_severities_counts_once() -> None:
    plain, shifted = random_correct(300, 0.5, 0)[None], random_correct(300, 0.6, 1)[None]
    once = difference(plain, shifted)
    five = difference(plain.repeat(5, 0), shifted.repeat(5, 0))
    assert (five.mean, five.low, five.high) == pytest.approx((once.mean, once.low, once.high))
    assert five.n == 300
    independent = difference(
        np.stack([random_correct(300, 0.5, s) for s in range(5)]),
        np.stack([random_correct(300, 0.6, 9 + s) for s in range(5)]),
    )
    assert independent.high - independent.low < 0.7 * (once.high - once.low)


def test_the_interval_covers_the_true_difference() -> None:
    missed = 0
    for seed in range(60):
        found = difference(
            random_correct(200, 0.5, seed)[None], random_correct(200, 0.5, 999 + seed)[None]
        )
        missed += not found.low <= 0 <= found.high
    assert missed <= 9  # 3 are expected


@pytest.mark.parametrize(
    ("mean", "low", "high", "words"),
    [
        (0.05, 0.02, 0.08, "improved accuracy"),
        (0.01, -0.02, 0.04, "no significant difference"),
        (-0.05, -0.08, -0.02, "reduced accuracy"),
    ],
)
def test_the_sentence_follows_the_interval(
    mean: float, low: float, high: float, words: str
) -> None:
    sentence = verdict("in fog", Difference(mean, low, high, 9, "images"), "in fog", False)
    assert words in sentence and "clean images" not in sentence
    bounds = f"{100 * mean:+.1f} points, 95% interval {100 * low:+.1f} to {100 * high:+.1f}"
    assert bounds.replace("-", "−") in sentence


def test_the_sentence_reports_clean_images_and_equal_models() -> None:
    worse = compare_level(0, np.ones(80, bool), np.arange(80) % 4 > 0)
    assert clean_verdict(worse) == "It reduced accuracy on clean images (−25.0 points)."
    better = compare_level(0, np.arange(80) % 4 > 0, np.ones(80, bool))
    assert clean_verdict(better) == "It improved accuracy on clean images (+25.0 points)."
    same = compare_level(0, random_correct(50, 0.5, 0), random_correct(50, 0.5, 0))
    assert "no significant difference on clean images" in clean_verdict(same)
    none = Difference(0.0, 0.0, 0.0, 80, "images")
    assert "both models are the same" in verdict("in fog", none, "there", True)
