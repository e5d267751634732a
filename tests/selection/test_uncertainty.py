"""Entropy and margin select the highest scores."""

from __future__ import annotations

import numpy as np

import vecaf
from tests.selection.clusters import clusters, predictions


def test_entropy_selects_the_highest_entropies() -> None:
    rows, _ = clusters((30, 30))
    p, earlier_rows = predictions(60, 4), np.arange(0, 60, 7)
    entropy = -(p * np.log(p)).sum(axis=1)
    selected = vecaf.select(rows, 10, "entropy", probabilities=p, selected=earlier_rows)
    free = np.setdiff1d(np.arange(60), earlier_rows)
    assert selected.ids.tolist() == free[np.argsort(-entropy[free])][:10].tolist()
    np.testing.assert_allclose(selected.scores["entropy"], entropy[selected.ids], rtol=1e-4)


def test_margin_selects_the_smallest_differences() -> None:
    rows, _ = clusters((30, 30))
    p = predictions(60, 4)
    gap = np.sort(p)[:, -1] - np.sort(p)[:, -2]
    selected = vecaf.select(rows, 10, "margin", probabilities=p)
    assert selected.ids.tolist() == np.argsort(gap)[:10].tolist()
    np.testing.assert_allclose(selected.scores["closeness"], 1 - gap[selected.ids], atol=1e-5)


def test_they_differ_if_many_classes_share_the_rest() -> None:
    rows, _ = clusters((1, 1))
    p = np.array([[0.5, 0.1, 0.1, 0.1, 0.1, 0.1], [0.5, 0.5, 0, 0, 0, 0]])
    assert vecaf.select(rows, 1, "entropy", probabilities=p).ids.tolist() == [0]
    assert vecaf.select(rows, 1, "margin", probabilities=p).ids.tolist() == [1]


def test_ties_are_broken_at_random() -> None:
    rows, _ = clusters((30, 30))
    p = np.full((60, 3), 1 / 3)
    selected = {
        tuple(vecaf.select(rows, 5, "entropy", probabilities=p, seed=s).ids) for s in (0, 1)
    }
    assert len(selected) == 2
