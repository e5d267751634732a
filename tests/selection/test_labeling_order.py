"""The order in which a person labels images."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import unit_rows
from vecaf.selection.labeling_order import labeling_order, margins

SURE, UNSURE = [0.98, 0.01, 0.01], [0.4, 0.35, 0.25]
NOTHING = np.empty((0, 8), np.float32)


def rows(*directions: int) -> np.ndarray:
    """Return unit rows in these directions; equal numbers are nearly equal rows."""
    rng = np.random.default_rng(0)
    return unit_rows(np.eye(8)[list(directions)] + 0.01 * rng.standard_normal((len(directions), 8)))


def test_uncertain_images_come_first() -> None:
    shares = np.array([SURE, UNSURE, SURE, UNSURE], np.float32)
    order = labeling_order(shares, rows(0, 1, 2, 3), NOTHING, 4)
    assert set(order[:2]) == {1, 3} and sorted(order) == [0, 1, 2, 3]


def test_similar_images_are_spread() -> None:
    shares = np.array([UNSURE, UNSURE, UNSURE], np.float32)
    order = labeling_order(shares, rows(0, 0, 5), NOTHING, 3)
    assert 2 in order[:2]


def test_images_like_labeled_ones_come_last() -> None:
    shares = np.array([UNSURE, [0.5, 0.3, 0.2]], np.float32)
    assert labeling_order(shares, rows(0, 5), rows(0, 3), 2).tolist() == [1, 0]


def test_the_order_is_as_long_as_asked_or_as_there_are_images() -> None:
    shares = np.array([UNSURE] * 5, np.float32)
    assert len(labeling_order(shares, rows(0, 1, 2, 3, 4), NOTHING, 3)) == 3
    assert sorted(labeling_order(shares, rows(1, 1, 1, 1, 1), rows(1), 9)) == [0, 1, 2, 3, 4]


def test_the_margin_is_the_lead_of_the_best_class() -> None:
    found = margins(np.array([[0.2, 0.5, 0.3], [0.9, 0.1, 0.0]], np.float32))
    assert np.allclose(found, [0.2, 0.8])
