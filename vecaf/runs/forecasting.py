"""Forecasts of a run: what more labels would gain, made after each round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vecaf.arrays import Floats, Labels
from vecaf.evaluation.cross_validation import cross_validated_points
from vecaf.evaluation.forecast import HORIZONS, CurvePoints, LearningCurve, Measured
from vecaf.store.records import RoundResult


def forecast_gains(
    features: Floats, labels: Labels, rounds: Sequence[RoundResult], tests: int, pool: int
) -> dict[str, Any]:
    """Forecast how the test accuracy changes with more labels, as it is stored with a round.

    Parameters
    ----------
    features, labels
        Centered features (n, d) and labels (n,) of the images that the run trained on.
    rounds
        Its rounds so far, with the newest.
    tests
        Number of labeled test images.
    pool
        Number of images in the pool; longer horizons are left out.

    Returns
    -------
    {"points", "measured", "gains": {labels: {"low", "middle", "high"}}}, or {} without test images
    or with too few labels to cross-validate.
    """
    measured = measured_accuracies(rounds, tests)
    points = cross_validated_points(features, labels)
    if measured is None or not points.sizes:
        return {}
    curve = LearningCurve.fit(points, measured)
    room = pool - measured.labels[-1]
    return {
        "points": asdict(points),
        "measured": asdict(measured),
        "gains": {str(more): asdict(curve.gain(more)) for more in HORIZONS if more <= room},
    }


def measured_accuracies(rounds: Sequence[RoundResult], tests: int) -> Measured | None:
    """Return the test accuracies of rounds; None if the last one has none."""
    known = [(one.labeled, one.test_accuracy) for one in rounds if one.test_accuracy is not None]
    if not tests or not rounds or rounds[-1].test_accuracy is None:
        return None
    labels, accuracy = zip(*known, strict=True)
    return Measured(labels, accuracy, tests)


def stored_curve(forecast: dict[str, Any]) -> LearningCurve:
    """Fit the learning curve of a stored forecast again, for other questions than its gains."""
    points = {name: tuple(values) for name, values in forecast["points"].items()}
    measured = forecast["measured"]
    return LearningCurve.fit(
        CurvePoints(**points),
        Measured(tuple(measured["labels"]), tuple(measured["accuracy"]), measured["tests"]),
    )
