"""Rank images for several texts, and recognize that none of them is near."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats
from vecaf.inference.ranking import NEAR, is_near, ranked_by_best


def test_an_image_is_ranked_by_the_text_it_is_most_similar_to() -> None:
    rows = np.eye(4, 3, dtype=np.float32)
    queries = np.array([[0.6, 0.8, 0], [0, 0, 1]], np.float32)
    found = ranked_by_best(np.array([10, 11, 12, 13]), rows, queries)
    assert found == {"ids": [12, 11, 10, 13], "scores": [1.0, 0.8, 0.6, 0.0]}


def test_a_few_images_must_be_near() -> None:
    query = np.array([[1, 0]], np.float32)

    def rows(*cosines: float) -> Floats:
        return np.array([[c, (1 - c * c) ** 0.5] for c in cosines], np.float32)

    assert is_near(rows(*[NEAR + 0.01] * 5, 0.0), query)
    assert not is_near(rows(0.9, *[NEAR - 0.01] * 9), query)
    assert is_near(rows(0.9), query) and not is_near(np.empty((0, 2), np.float32), query)
