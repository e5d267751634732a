"""BADGE equals k-means++ over explicit gradients."""

from __future__ import annotations

import numpy as np
import pytest

import vecaf
from tests.selection.clusters import Array, clusters, predictions, unit
from vecaf.selection.badge import seeded


def gradients(rows: Array, p: Array) -> Array:
    """(p − one-hot prediction) ⊗ x, shape (n, classes·d)."""
    blame = p - np.eye(p.shape[1])[p.argmax(axis=1)]
    outer: Array = np.einsum("ic,id->icd", blame, rows).reshape(len(rows), -1)
    return outer


def test_it_equals_kmeans_plus_plus_on_explicit_gradients() -> None:
    rows, _ = clusters((40, 30, 20), spread=0.4)
    x, p = unit(rows).astype(np.float32), predictions(90, 4).astype(np.float32)
    blame = (p - np.eye(4)[p.argmax(axis=1)]).astype(np.float32)
    g = gradients(x, p)
    selected, distance, length = seeded(blame, x, np.arange(90), 25, np.random.default_rng(5))

    rng = np.random.default_rng(5)
    expected = [int((g**2).sum(axis=1).argmax())]
    nearest = ((g - g[expected[0]]) ** 2).sum(axis=1)
    for _ in range(24):
        mass = np.cumsum(nearest)
        expected.append(int(np.searchsorted(mass, rng.random() * mass[-1], side="right")))
        nearest = np.minimum(nearest, ((g - g[expected[-1]]) ** 2).sum(axis=1))
    assert selected.tolist() == expected
    np.testing.assert_allclose(length, np.linalg.norm(g[selected], axis=1), rtol=1e-4)
    for rank in range(1, 25):
        gap = np.linalg.norm(g[selected[rank]] - g[selected[:rank]], axis=1).min()
        assert distance[rank] == pytest.approx(gap, rel=0.01)


def test_certain_predictions_are_selected_last() -> None:
    rows, _ = clusters((30, 30), spread=0.3)
    p = np.tile([1.0, 0.0], (60, 1))
    p[:10] = [0.6, 0.4]
    selected = vecaf.select(rows, 12, "badge", probabilities=p)
    assert set(range(10)) < set(selected.ids[:11].tolist())
    assert np.flatnonzero(selected.scores["gradient"] == 0).size == 2
    assert selected.scores["distance"][11] == 0


def test_logits_are_rejected() -> None:
    rows, _ = clusters((5, 5))
    for name in ("badge", "entropy", "margin", "uherding"):
        with pytest.raises(vecaf.InputError, match="not logits"):
            vecaf.select(rows, 2, name, probabilities=np.full((10, 3), 2.0))
        with pytest.raises(vecaf.InputError, match="not logits"):
            vecaf.select(rows, 2, name, probabilities=np.tile([-1.0, 2.0], (10, 1)))
