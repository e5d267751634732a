"""Forecasts from learning curves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vecaf.arrays import Floats, Labels, unit_rows
from vecaf.evaluation.cross_validation import FEWEST_IMAGES, cross_validated_points
from vecaf.evaluation.forecast import CurvePoints, Estimate, LearningCurve, Measured
from vecaf.evaluation.forecast_outcomes import Outcome, count_covered, measured_gain

NO_POINTS = CurvePoints((), (), ())


def error(n: float, floor: float = 0.05) -> float:
    """A learning curve: the true error with n labels."""
    return floor + 0.9 / math.sqrt(n)


def points(*sizes: int, floor: float = 0.05) -> CurvePoints:
    accuracy = tuple(1 - error(n, floor) for n in sizes)
    return CurvePoints(sizes, accuracy, (0.005,) * len(sizes))


def test_the_interval_contains_the_gain_of_a_true_power_law() -> None:
    measured = Measured((100,), (1 - error(100),), 2000)
    curve = LearningCurve.fit(points(15, 25, 40, 55, 75), measured)
    for more in (50, 100, 200):
        gain, true = curve.gain(more), error(100) - error(100 + more)
        assert gain.low < true < gain.high
        assert gain.high - gain.low < 0.06
    assert curve.gain(200).middle > curve.gain(50).middle > 0


def test_equal_inputs_give_equal_forecasts() -> None:
    given = points(15, 40, 75), Measured((100,), (0.8,), 100)
    assert LearningCurve.fit(*given).gain(50) == LearningCurve.fit(*given).gain(50)


def test_a_small_test_sample_makes_the_interval_wide() -> None:
    few, many = (
        LearningCurve.fit(points(15, 40, 75), Measured((100,), (0.85,), tests)).gain(50)
        for tests in (50, 5000)
    )
    assert few.high - few.low > 2 * (many.high - many.low)


def test_models_that_agree_on_the_test_images_make_the_interval_narrow() -> None:
    stable, unstable = (
        Measured((60, 80, 100), (0.78, 0.79, 0.8), 300, (changed, changed))
        for changed in (0.02, 0.2)
    )
    widths = [
        gain.high - gain.low
        for gain in (LearningCurve.fit(NO_POINTS, one).gain(50) for one in (stable, unstable))
    ]
    assert widths[1] > 1.4 * widths[0]


def test_class_names_that_were_nearly_as_good_lower_the_forecast() -> None:
    far, near = (Measured((25,), (0.6,), 300, start=start) for start in (0.3, 0.57))
    gains = [LearningCurve.fit(NO_POINTS, one).gain(100) for one in (far, near)]
    assert gains[0].middle > 2 * gains[1].middle > 0
    curve = LearningCurve.fit(NO_POINTS, near)
    assert curve.labels_for(0.75).middle > curve.labels_for(0.65).middle > 0


def test_rounds_that_stopped_improving_lower_the_forecast() -> None:
    improving = Measured((40, 70, 100), (0.70, 0.78, 0.84), 2000)
    flat = Measured((40, 70, 100), (0.84, 0.84, 0.84), 2000)
    gains = [LearningCurve.fit(NO_POINTS, one).gain(100).middle for one in (improving, flat)]
    assert gains[0] > gains[1] + 0.02


def test_labels_for_a_target() -> None:
    measured = Measured((30, 60, 100), tuple(1 - error(n) for n in (30, 60, 100)), 5000)
    curve = LearningCurve.fit(points(15, 25, 40, 55, 75), measured)
    needed = curve.labels_for(1 - error(160))
    assert needed.low < 60 < needed.high
    assert curve.labels_for(0.5).high == 0  # it is reached
    assert math.isinf(curve.labels_for(0.999).middle)


def labeled_rows(n: int) -> tuple[Floats, Labels]:
    """Return features and labels of four classes that overlap."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, n)
    return unit_rows(np.eye(4, 30)[labels] * 2 + rng.standard_normal((n, 30))), labels


def test_cross_validated_accuracies_grow_with_the_labels() -> None:
    rows, labels = labeled_rows(160)
    found = cross_validated_points(rows, labels)
    assert found.sizes == (24, 40, 64, 88, 120)
    assert found.accuracy[-1] > found.accuracy[0] > 0.25
    assert found == cross_validated_points(rows, labels)


def test_a_start_from_class_names_makes_the_curve_flatter() -> None:
    rows, labels = labeled_rows(160)
    alone = cross_validated_points(rows, labels)
    named = cross_validated_points(rows, labels, 4 * np.eye(4, 30, dtype=np.float32))
    assert named.accuracy[0] > alone.accuracy[0] + 0.05
    gains = [found.accuracy[-1] - found.accuracy[0] for found in (alone, named)]
    assert gains[1] < gains[0] / 2
    wrong = np.roll(4 * np.eye(4, 30, dtype=np.float32), 1, axis=0)
    assert cross_validated_points(rows, labels, wrong) == alone  # misleading names are not used


def test_too_few_labels_have_no_curve() -> None:
    rows = np.eye(20, dtype=np.float32)
    one_class, few = np.zeros(20, np.int64), np.arange(FEWEST_IMAGES - 1) % 2
    assert cross_validated_points(rows, one_class) == NO_POINTS
    assert cross_validated_points(rows[: len(few)], few) == NO_POINTS


def test_the_measured_gain_is_interpolated() -> None:
    later = [(150, 0.85), (250, 0.89)]
    assert measured_gain((100, 0.8), 50, later) == pytest.approx(0.05)
    assert measured_gain((100, 0.8), 100, later) == pytest.approx(0.07)
    assert measured_gain((100, 0.8), 200, later) is None  # not there yet
    assert measured_gain((100, 0.8), 50, [(400, 0.9)]) is None  # too far apart


def test_covered_outcomes_are_counted() -> None:
    gain = Estimate(0.0, 0.02, 0.04)
    outcomes = [Outcome(100, 50, gain, value) for value in (0.01, 0.05, None)]
    assert count_covered(outcomes) == (1, 2)
