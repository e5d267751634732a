"""What a run's forecast knows: its test accuracies, their changes, and the start from names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.runs.small_runs import TOLD, finish
from vecaf.datasets.pool import Samples
from vecaf.evaluation.forecast import LearningCurve
from vecaf.evaluation.predictions import load_predictions
from vecaf.runs.forecasting import changed_shares
from vecaf.settings import Settings
from vecaf.store import TEST, TRAIN


def test_a_forecast_knows_the_changes_between_rounds_and_the_accuracy_of_the_names(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    recorder, _ = finish(replace(TOLD, budget="12"), samples, settings, tmp_path)
    forecast = recorder.results[-1].forecast
    measured = forecast["measured"]
    assert measured["labels"] == (12, 24)
    assert measured["accuracy"] == tuple(one.test_accuracy for one in recorder.results)
    assert 0 <= measured["start"] <= 1
    test = samples.rows(TEST)
    first, last = (load_predictions(tmp_path, number) for number in (1, 2))
    assert first is not None and last is not None
    right = [
        one.predicted[np.searchsorted(one.ids, samples.ids[test])] == samples.labels[test]
        for one in (first, last)
    ]
    assert measured["changed"] == (float((right[0] != right[1]).mean()),)
    curve = LearningCurve.stored(json.loads(json.dumps(forecast)))
    for more, gain in forecast["gains"].items():
        assert curve.gain(int(more)).middle == gain["middle"]


def test_there_is_no_forecast_before_most_classes_have_a_label(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    missing = (samples.splits == TRAIN) & (samples.labels == 0)
    fewer = replace(samples, labels=np.where(missing, 1, samples.labels))
    recorder, _ = finish(replace(TOLD, budget="12"), fewer, settings, tmp_path)
    assert recorder.results[-1].test_accuracy is not None
    assert recorder.results[-1].forecast == {}


def test_changed_shares_need_the_predictions_of_all_rounds() -> None:
    one, other = np.array([True, True, False, False]), np.array([True, False, False, False])
    assert changed_shares([one, other, one]) == pytest.approx((0.25, 0.25))
    assert changed_shares([one]) == ()
    assert changed_shares([one, None, other]) == ()
