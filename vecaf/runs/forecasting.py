"""Forecasts of a run: what more labels would gain, made after each round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Labels
from vecaf.evaluation.cross_validation import cross_validated_points
from vecaf.evaluation.forecast import HORIZONS, LearningCurve, Measured
from vecaf.evaluation.predictions import load_predictions
from vecaf.runs.plan import RunPlan
from vecaf.runs.recording import Recorder
from vecaf.store.records import RoundResult
from vecaf.training.learner import Learner

SEEN_CLASSES = 0.9  # share of the classes of the test sample that need a label for a forecast


def forecast_round(
    plan: RunPlan, learner: Learner, recorder: Recorder, folder: Path, result: RoundResult
) -> dict[str, Any]:
    """Forecast after a round what more labels gain. `folder` has the predictions of all rounds.

    Returns
    -------
    dict
        As `forecast_gains`. Empty if many classes of the test sample have no label yet: the
        accuracy jumps when they get their first ones, which a learning curve can't foresee.
    """
    if not len(plan.test):
        return {}
    labels, pretrained = plan.samples.labels, learner.context.pretrained
    rows = plan.selected(recorder, upto=result.number)
    rows = rows[labels[rows] >= 0]
    if np.isin(np.unique(labels[plan.test]), labels[rows]).mean() < SEEN_CLASSES:
        return {}
    rounds = [*recorder.finished_rounds(), result]
    text_weights, start = learner.head_training.text_classifier, None
    if text_weights is not None:
        predicted = (pretrained(plan.test) @ text_weights.T).argmax(axis=1)
        start = float((predicted == labels[plan.test]).mean())
    right = [right_predictions(plan, folder, one.number) for one in rounds]
    measured = measured_accuracies(rounds, len(plan.test), changed_shares(right), start)
    pool = len(plan.samples.pool)
    return forecast_gains(pretrained(rows), labels[rows], text_weights, measured, pool)


def right_predictions(plan: RunPlan, folder: Path, number: int) -> NDArray[np.bool_] | None:
    """Return which test images a round's model got right, (tests,); None if one is missing."""
    predictions, ids = load_predictions(folder, number), plan.samples.ids[plan.test]
    if predictions is None or not np.isin(ids, predictions.ids).all():
        return None
    predicted = predictions.predicted[np.searchsorted(predictions.ids, ids)]
    return np.asarray(predicted == plan.samples.labels[plan.test])


def changed_shares(right: Sequence[NDArray[np.bool_] | None]) -> tuple[float, ...]:
    """Return the share of test images that only one of two consecutive rounds gets right.

    Empty if a round's predictions are missing.
    """
    known = [one for one in right if one is not None]
    if len(known) < len(right):
        return ()
    return tuple(float((before != after).mean()) for before, after in pairwise(known))


def forecast_gains(
    features: Floats,
    labels: Labels,
    text_weights: Floats | None,
    measured: Measured | None,
    pool: int,
) -> dict[str, Any]:
    """Forecast how the test accuracy changes with more labels, as it is stored with a round.

    Parameters
    ----------
    features, labels
        Centered features (n, d) and labels (n,) of the images that the run trained on.
    text_weights
        Classifier (classes, d) from class names that the head starts from, if it does.
    measured
        The test accuracies so far.
    pool
        Number of images in the pool; longer horizons are left out.

    Returns
    -------
    {"points", "measured", "gains": {labels: {"low", "middle", "high"}}}, or {} without test images
    or with too few labels to cross-validate.
    """
    points = cross_validated_points(features, labels, text_weights)
    if measured is None or not points.sizes:
        return {}
    curve = LearningCurve.fit(points, measured)
    room = pool - measured.labels[-1]
    return {
        "points": asdict(points),
        "measured": asdict(measured),
        "gains": {str(more): asdict(curve.gain(more)) for more in HORIZONS if more <= room},
    }


def measured_accuracies(
    rounds: Sequence[RoundResult],
    tests: int,
    changed: tuple[float, ...] = (),
    start: float | None = None,
) -> Measured | None:
    """Return the test accuracies of rounds; None if the last one has none.

    Parameters
    ----------
    rounds
        The rounds so far.
    tests
        Number of labeled test images.
    changed, start
        As in `Measured`.
    """
    known = [(one.labeled, one.test_accuracy) for one in rounds if one.test_accuracy is not None]
    if not tests or not rounds or rounds[-1].test_accuracy is None:
        return None
    labels, accuracy = zip(*known, strict=True)
    if len(changed) != len(known) - 1:
        changed = ()
    return Measured(labels, accuracy, tests, changed, start)
