"""Intervals, paired differences and the cost to reach a target, checked against known results."""

from __future__ import annotations

import numpy as np
import pytest

from vecaf.evaluation.comparison import (
    IMAGES,
    SEEDS,
    LearningCurve,
    accuracy_interval,
    cost_to_reach,
    interval,
    mean_curve,
    paired_over_images,
    paired_over_seeds,
)


@pytest.mark.parametrize(
    ("target", "cost"),
    [
        (0.5, 100.0),  # exactly the accuracy of the first round
        (0.3, 100.0),  # below the first round: smaller costs were not measured
        (0.6, 150.0),  # halfway between two rounds
        (0.9, 300.0),
        (0.91, None),
    ],
)
def test_the_cost_of_a_target_is_interpolated_linearly(target: float, cost: float | None) -> None:
    found = cost_to_reach(target, (100, 200, 300), (0.5, 0.7, 0.9))
    assert found is None if cost is None else found == pytest.approx(cost)


def test_a_curve_that_drops_again_counts_from_where_it_first_reached_the_target() -> None:
    assert cost_to_reach(0.6, (10, 20, 30), (0.4, 0.8, 0.5)) == pytest.approx(15)
    assert cost_to_reach(0.6, (10, 20, 30), (0.4, 0.3, 0.7)) == pytest.approx(27.5)
    assert cost_to_reach(0.6, (), ()) is None


def test_the_interval_over_seeds_is_a_t_interval() -> None:
    found = interval([0.7, 0.8, 0.9])
    half = 4.302653 * 0.1 / 3**0.5
    assert (found.mean, found.low, found.high) == pytest.approx((0.8, 0.8 - half, 0.8 + half))
    one = interval([0.7])
    assert (one.mean, one.low, one.high) == (0.7, None, None)
    with pytest.raises(ValueError, match="at least one"):
        interval([])


def test_intervals_cover_the_true_mean_in_95_percent_of_cases() -> None:
    rng = np.random.default_rng(0)
    found = [interval(rng.normal(0.7, 0.05, 4).tolist()) for _ in range(2000)]
    held = np.mean([(i.low or 0) <= 0.7 <= (i.high or 0) for i in found])
    assert 0.935 < held < 0.965


def test_differences_are_paired_by_seed() -> None:
    first = {0: 0.80, 1: 0.70, 2: 0.90, 7: 0.1}
    second = {0: 0.79, 1: 0.691, 2: 0.89, 8: 0.9}  # about one point lower at each seed
    found = paired_over_seeds(first, second)
    assert found is not None and found.over == SEEDS and found.n == 3
    assert found.mean == pytest.approx(0.01, abs=0.001)
    assert found.significant
    assert paired_over_seeds({0: 0.9}, {0: 0.1}) is None
    assert paired_over_seeds({0: 0.9, 1: 0.9}, {2: 0.1, 3: 0.1}) is None


def test_the_interval_of_accuracies_stays_between_0_and_1() -> None:
    low, high = accuracy_interval([0.02, 0.1]), accuracy_interval([0.9, 0.98])
    assert low.low == 0 and low.high is not None and low.high > 0.1
    assert high.high == 1 and high.low is not None and high.low < 0.9
    assert accuracy_interval([0.7]) == interval([0.7])


def test_differences_paired_by_image_have_the_expected_interval() -> None:
    rng = np.random.default_rng(1)
    n = 400
    second = rng.random(n) < 0.7
    flips = rng.random(n) < 0.1
    first = second ^ flips
    found = paired_over_images(first, second)
    assert found is not None and found.over == IMAGES and found.n == n
    assert found.mean == pytest.approx(first.mean() - second.mean())
    spread = np.std(first.astype(float) - second.astype(float)) / n**0.5
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * spread, rel=0.1)
    # An unpaired interval would be much wider.
    assert (found.high - found.low) / 2 < 1.96 * (2 * 0.7 * 0.3 / n) ** 0.5 / 1.5


def test_a_few_images_that_agree_are_not_significant() -> None:
    for n in (1, 2, 3):
        found = paired_over_images(np.ones(n, bool), np.zeros(n, bool))
        assert found is not None and found.mean == 1 and found.low < 1 and not found.significant
    rng = np.random.default_rng(0)
    for n in (8, 30):
        significant = 0
        for _ in range(1000):
            pair = paired_over_images(rng.random(n) < 0.6, rng.random(n) < 0.6)
            assert pair is not None
            significant += pair.significant
        assert significant <= 60  # equal models: 50 are expected
    seeds = paired_over_seeds({0: 0.5, 1: 0.75}, {0: 0.25, 1: 0.5})
    assert seeds is not None and seeds.mean == 0.25 and not seeds.significant


def test_equal_runs_have_a_difference_of_zero() -> None:
    correct = np.array([True, False, True])
    found = paired_over_images(correct, correct)
    assert found is not None
    assert found.mean == 0 and found.low == -found.high < 0 and not found.significant
    assert paired_over_images(correct[:0], correct[:0]) is None


def test_the_mean_curve_averages_the_seeds_that_finished_each_round() -> None:
    curves = [LearningCurve((10, 20), (5, 15), (0.5, 0.7)), LearningCurve((10,), (7,), (0.6,))]
    costs, means = mean_curve(curves, "batches")
    assert costs == [6.0, 15.0]
    assert [item.n for item in means] == [2, 1]
    assert means[0].mean == pytest.approx(0.55)
    assert means[1].low is None
    assert mean_curve(curves, "labels")[0] == [10.0, 20.0]
    assert mean_curve([], "labels") == ([], [])
