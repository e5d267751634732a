"""Labels joined with predictions: confusion matrix cells and mistakes."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from vecaf.evaluation.labeled_predictions import match_predictions
from vecaf.evaluation.predictions import Predictions

IDS = np.array([2, 4, 6, 8, 10])
LABELS = np.array([0, 0, 1, 1, 0])
PREDICTIONS = Predictions(
    ids=np.array([1, 2, 4, 6, 8, 10, 11]),
    predicted=np.array([0, 1, 1, 1, 0, 0, 0], dtype=np.int16),
    confidence=np.array([0.9, 0.6, 0.8, 0.9, 0.7, 0.5, 0.9], dtype=np.float32),
    loss=np.array([0.1, 3.0, 2.0, 0.1, 1.2, 0.7, np.nan], dtype=np.float32),
)


def test_a_cell_lists_its_images_by_confidence() -> None:
    found = match_predictions(IDS, LABELS, PREDICTIONS)
    assert_array_equal(found.ids[found.cell(0, 1)], [4, 2])
    assert_array_equal(found.ids[found.cell(1, 0)], [8])
    assert_array_equal(found.ids[found.cell(1, 1)], [6])
    assert len(found.cell(2, 0)) == 0
    assert found.correct.tolist() == [False, False, True, False, True]


def test_mistakes_are_ordered_and_correct_predictions_are_left_out() -> None:
    found = match_predictions(IDS, LABELS, PREDICTIONS)
    assert_array_equal(found.ids[found.highest_loss_mistakes(9)], [2, 4, 8])
    assert_array_equal(found.ids[found.most_confident_mistakes(2)], [4, 8])


def test_images_without_a_prediction_are_left_out() -> None:
    found = match_predictions(np.array([2, 3, 12]), np.array([1, 1, 1]), PREDICTIONS)
    assert_array_equal(found.ids, [2])
    assert_array_equal(found.predicted, [1])
