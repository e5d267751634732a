"""Explanations on small pools, checked by hand."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from vecaf.selection import explain


def on_circle(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


def test_the_nearest_selected_row_represents_each_row() -> None:
    rows = on_circle(0, 5, 10, 90, 95, 180, 185)
    cover = explain.covering(rows, np.array([4, 0]), np.array([5]))
    assert_array_equal(cover.owner, [1, 1, 1, 0, 0, -1, -1])
    assert_array_equal(cover.counts(2), [2, 3])
    assert cover.members(2) == {0: [4, 3], 1: [0, 1]}


def test_a_duplicate_does_not_represent_a_selected_row() -> None:
    rows = on_circle(0, 0, 90)
    cover = explain.covering(rows, np.array([0, 1]), np.array([], dtype=np.int64))
    assert cover.owner[0] == 0 and cover.owner[1] == 1
    assert cover.counts(2).sum() == 3


def test_typical_rows_lie_among_others() -> None:
    rows = on_circle(*np.linspace(0, 8, 60), 120, 240)
    shares = explain.typicality(rows, np.array([30, 60, 61]))
    assert shares[0] > 0.4 and shares[1] < 0.05 and shares[2] < 0.05


def test_typicality_of_a_large_pool_is_close_to_the_exact_one() -> None:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(5_000, 8)).astype(np.float32) + np.float32(1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    selected_rows = np.arange(50)
    sampled = explain.typicality(rows, selected_rows)
    densities = np.array([np.sort(rows @ row)[-21:-1].mean() for row in rows])
    exact = (densities[:, None] < densities[selected_rows]).mean(axis=0)
    assert np.abs(sampled - exact).max() < 0.05


def test_a_single_row_is_allowed() -> None:
    assert_array_equal(explain.typicality(on_circle(3), np.array([0])), [0])


def test_turned_is_the_angle_in_degrees() -> None:
    assert_allclose(explain.turned(on_circle(0, 10), 3 * on_circle(30, 10)), [30, 0], atol=0.05)


def test_a_selected_row_replaces_the_nearest_one_that_only_the_other_selection_has() -> None:
    rows = on_circle(0, 4, 90, 94, 180)
    found = explain.displaced(rows, np.array([0, 4, 3]), np.array([1, 2, 4]))
    assert_array_equal(found, [1, -1, 2])
    same = explain.displaced(rows, np.array([0, 4]), np.array([4, 0]))
    assert_array_equal(same, [-1, -1])


def test_the_runner_up_is_nearest_to_the_middle_and_free() -> None:
    rows = on_circle(0, 10, 20, 60, 180, 90)
    selected_rows = np.array([0, 4])
    cover = explain.covering(rows, selected_rows, np.array([5]))
    free = np.ones(6, dtype=bool)
    free[5] = False
    assert_array_equal(
        explain.runners_up(rows, selected_rows, cover, free), [1, -1]
    )  # 60 goes to 90°
    free[1] = False
    assert_array_equal(explain.runners_up(rows, selected_rows, cover, free), [2, -1])


def test_overlap() -> None:
    found = explain.Overlap.of([5, 3, 1], [1, 5, 9])
    assert (found.both, found.first, found.second) == ([5, 1], [3], [9])
    assert found.jaccard == 0.5
    assert explain.Overlap.of([], []).jaccard == 0


def test_the_comparing_space_keeps_the_rows_order() -> None:
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(300, 12)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    space = explain.comparing_space(rows)
    assert space.shape == (300, 12)
    assert_allclose(np.linalg.norm(space, axis=1), 1, atol=1e-4)
    turn = draw.permutation(300)
    assert_allclose(np.abs(explain.comparing_space(rows[turn])), np.abs(space[turn]), atol=1e-3)
