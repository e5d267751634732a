"""Mistakes found in a round's predictions."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from vecaf.evaluation.mistakes import match
from vecaf.evaluation.predictions import Predictions

IDS = np.array([2, 4, 6, 8, 10])
LABELS = np.array([0, 0, 1, 1, 0])
SAID = Predictions(
    ids=np.array([1, 2, 4, 6, 8, 10, 11]),
    predicted=np.array([0, 1, 1, 1, 0, 0, 0], dtype=np.int16),
    confidence=np.array([0.9, 0.6, 0.8, 0.9, 0.7, 0.5, 0.9], dtype=np.float32),
    loss=np.array([0.1, 3.0, 2.0, 0.1, 1.2, 0.7, np.nan], dtype=np.float32),
)


def test_a_cell_holds_its_images_the_surest_first() -> None:
    found = match(IDS, LABELS, SAID)
    assert_array_equal(found.ids[found.cell(0, 1)], [4, 2])
    assert_array_equal(found.ids[found.cell(1, 0)], [8])
    assert_array_equal(found.ids[found.cell(1, 1)], [6])
    assert len(found.cell(2, 0)) == 0
    assert found.right.tolist() == [False, False, True, False, True]


def test_mistakes_are_ordered_and_hits_are_none() -> None:
    found = match(IDS, LABELS, SAID)
    assert_array_equal(found.ids[found.worst(9)], [2, 4, 8])
    assert_array_equal(found.ids[found.surest_mistakes(2)], [4, 8])


def test_images_without_a_prediction_are_left_out() -> None:
    found = match(np.array([2, 3, 12]), np.array([1, 1, 1]), SAID)
    assert_array_equal(found.ids, [2])
    assert_array_equal(found.predicted, [1])
