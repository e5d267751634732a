"""MaxHerding and Uncertainty Herding equal a brute-force search."""

from __future__ import annotations

import numpy as np
import pytest

import vecaf
from tests.selection.clusters import Array, clusters, predictions, unit
from vecaf.selection.coverage import greedy_coverage, sample_sizes
from vecaf.selection.uherding import radius, tempered
from vecaf.selection.uncertainty import closeness


def kernel(rows: Array, width: float) -> Array:
    apart = np.linalg.norm(unit(rows)[:, None] - unit(rows)[None], axis=2)
    values: Array = np.exp(-(apart**2) / width**2)
    return values


def greedy(
    k: Array, weights: Array, earlier_rows: list[int], selected_rows: Array
) -> list[tuple[Array, float]]:
    """All gains before each selected row, and its own gain."""
    found, covered = [], k[earlier_rows].max(axis=0, initial=0)
    for row in selected_rows:
        gains = np.maximum(k - covered, 0) @ (weights / weights.sum())
        found.append((gains, gains[row]))
        covered = np.maximum(covered, k[row])
    return found


@pytest.mark.parametrize("width", [0.3, 1.0])
@pytest.mark.parametrize("earlier_rows", [[], [3, 50]])
def test_maxherding_selects_the_row_with_the_greatest_gain(
    width: float, earlier_rows: list[int]
) -> None:
    rows, _ = clusters((50, 40, 30), spread=0.4)
    selected = vecaf.select(
        rows, 30, "maxherding", selected=earlier_rows, width=width, dimensions=0
    )
    steps = greedy(kernel(rows, width), np.ones(120), earlier_rows, selected.ids)
    for (gains, own), said in zip(steps, selected.scores["gain"], strict=True):
        assert own == pytest.approx(gains.max(), abs=1e-6) == pytest.approx(said, abs=1e-6)


def test_uherding_selects_the_row_with_the_greatest_weighted_gain() -> None:
    rows, _ = clusters((50, 40, 30), spread=0.4)
    earlier_rows, p = [3, 50, 110], predictions(120, 3)
    selected = vecaf.select(
        rows, 20, "uherding", selected=earlier_rows, probabilities=p, dimensions=0
    )
    unsure = 1 - (np.sort(p)[:, -1] - np.sort(p)[:, -2])
    unsure[earlier_rows] = 0
    apart = np.linalg.norm(
        unit(rows)[earlier_rows][:, None] - unit(rows)[earlier_rows][None], axis=2
    )
    width = apart[apart > 0].min()  # the radius shrinks to the closest pair of earlier rows
    steps = greedy(kernel(rows, width), unsure, earlier_rows, selected.ids)
    for (gains, own), said in zip(steps, selected.scores["gain"], strict=True):
        assert own == pytest.approx(gains.max(), abs=1e-6) == pytest.approx(said, abs=1e-6)
    np.testing.assert_allclose(selected.scores["uncertainty"], unsure[selected.ids], atol=1e-6)


def test_without_a_model_uncertainty_herding_is_maxherding() -> None:
    rows, _ = clusters((50, 40, 30), spread=0.4)
    first, second = (vecaf.select(rows, 15, name) for name in ("uherding", "maxherding"))
    np.testing.assert_array_equal(first.ids, second.ids)


def test_only_candidates_are_selected_and_only_references_count() -> None:
    rows = unit(clusters((60, 60), spread=0.5)[0]).astype(np.float32)
    candidates = np.arange(100, 120)
    none = np.empty(0, dtype=np.int64)
    selected, gain = greedy_coverage(rows, np.ones(60, np.float32), none, candidates, 5, 1.0)
    assert set(selected) <= set(candidates)
    gains = kernel(rows, 1.0)[:, :60].mean(axis=1)[candidates]
    assert selected[0] == candidates[gains.argmax()] and gain[0] == pytest.approx(gains.max())


def test_samples_grow_with_the_budget_up_to_the_pool() -> None:
    assert sample_sizes(50_000, 100, None, None) == (10_000, 20_000)
    assert sample_sizes(50_000, 4000, None, None) == (16_000, 40_000)
    assert sample_sizes(900, 100, None, None) == (900, 900)
    assert sample_sizes(900, 100, 50, 20) == (50, 100)


def test_the_radius_is_the_smallest_distance_of_distinct_rows() -> None:
    angles = np.array([0, 0, 0.5, 2.0])
    rows = np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)
    assert radius(rows) == pytest.approx(2 * np.sin(0.25), abs=1e-5)
    assert radius(rows[:1]) == radius(rows[:2]) == 1.0
    assert radius(np.stack((rows[0], [np.cos(0.01), np.sin(0.01)])).astype(np.float32)) == 0.05


def test_a_higher_temperature_makes_predictions_less_certain() -> None:
    p = predictions(50, 4).astype(np.float32)
    np.testing.assert_allclose(tempered(p, 2.0).sum(axis=1), 1, atol=1e-6)
    assert (closeness(tempered(p, 2.0)) >= closeness(p) - 1e-6).all()
    np.testing.assert_allclose(
        tempered(p, 2.0), np.sqrt(p) / np.sqrt(p).sum(axis=1, keepdims=True), rtol=1e-4
    )
