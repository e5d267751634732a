"""Predictions of a round: computed, saved and loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from vecaf.evaluation.predictions import Predictions, load_predictions, save_predictions


def some() -> Predictions:
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]], dtype=np.float32))
    return Predictions.of(np.array([3, 8]), logits, np.array([1, -1]))


def test_predictions_hold_class_confidence_and_loss() -> None:
    p = some()
    assert_array_equal(p.predicted, [0, 2])
    assert_allclose(p.confidence, [0.7, 0.5], rtol=1e-6)
    assert_allclose(p.loss, [-np.log(0.2), np.nan], rtol=1e-6)  # NaN without a label


def test_saved_predictions_keep_their_types(tmp_path: Path) -> None:
    save_predictions(tmp_path / "7", 2, some())
    found = load_predictions(tmp_path / "7", 2)
    assert found is not None
    assert_array_equal(found.ids, [3, 8])
    types = [found.ids.dtype, found.predicted.dtype, found.confidence.dtype, found.loss.dtype]
    assert types == [np.int64, np.int16, np.float32, np.float32]
    assert [path.name for path in (tmp_path / "7").iterdir()] == ["predictions-2.npz"]


def test_rounds_without_predictions_have_none(tmp_path: Path) -> None:
    save_predictions(tmp_path, 1, some())
    assert load_predictions(tmp_path, 2) is None
