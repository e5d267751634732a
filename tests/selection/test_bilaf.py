"""BiLAF: central cores, boundary rows between two clusters, no noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecaf
from tests.selection.clusters import Array
from vecaf.selection.boundaries import boundary_rows, boundary_scores, denoise, proportional_shares


def arc(angles: Array) -> Array:
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


def test_cores_are_central_and_boundary_rows_lie_between_the_clusters() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(0.5, 0.1, 150), rng.normal(1.1, 0.1, 150)
    angle = np.concatenate((left, right))
    selected = vecaf.select(arc(angle), 10, "bilaf", dimensions=0, absorb=0.1, neighbors=3)
    core = selected.scores["core"] == 1
    assert core.tolist() == [True] * 2 + [False] * 8
    np.testing.assert_allclose(np.sort(angle[selected.ids[core]]), [0.5, 1.1], atol=0.05)
    border = angle[selected.ids[~core]]
    assert (border > 0.5).all() and (border < 1.1).all()
    assert (selected.scores["border"][~core] < selected.scores["border"][core].min()).all()


def test_the_last_rows_to_join_are_noise() -> None:
    rows = arc(np.concatenate((np.linspace(0, 0.2, 36), [1.0, 1.3, 1.6, 2.0])))
    kept = denoise(rows, 18, neighbors=3, noise=0.1, absorb=0.1)
    assert kept.tolist() == [True] * 36 + [False] * 4
    assert denoise(rows, 18, neighbors=3, noise=0.0, absorb=0.5).all()


def test_boundary_scores_follow_from_mean_distances() -> None:
    distance = np.array([[0.1, 0.4, 0.8], [0.3, 0.35, 0.9], [0.5, 0.9, 0.2]], dtype=np.float32)
    np.testing.assert_allclose(
        boundary_scores(distance, 0), [0.3 / 0.4, 0.05 / 0.35, -0.3 / 0.5], rtol=1e-5
    )
    np.testing.assert_allclose(
        boundary_scores(distance, 0, np.array([1, 4, 1])), [0.7 / 0.8, 0.6 / 0.9, -0.3 / 0.5], 1e-5
    )


def test_neighbors_of_a_selected_row_are_skipped_and_come_back() -> None:
    rows = arc(np.linspace(0, 0.9, 10))
    distance = np.stack((np.full(10, 0.5), np.linspace(0.9, 0.6, 10)), axis=1).astype(np.float32)
    everything = np.ones(10, dtype=bool)
    selected = boundary_rows(rows, distance, 0, everything, everything, 10, 2, 1.0)
    assert selected[:4].tolist() == [9, 6, 4, 2]  # 9 sets aside 8 and 7, 6 then 5, 4 then 3
    assert sorted(selected.tolist()) == list(range(10))


def test_the_penalty_leads_to_other_boundaries() -> None:
    rows = arc(np.linspace(0, 0.9, 10))
    distance = np.full((10, 3), 0.5, dtype=np.float32)
    distance[:, 1] = np.linspace(0.9, 0.6, 10)
    distance[:, 2] = np.linspace(0.64, 0.94, 10)
    everything = np.ones(10, dtype=bool)
    without = boundary_rows(rows, distance, 0, everything, everything, 2, 0, 1.0)
    with_it = boundary_rows(rows, distance, 0, everything, everything, 2, 0, 1.2)
    assert (without.tolist(), with_it.tolist()) == ([9, 8], [9, 0])


@pytest.mark.parametrize(
    ("total", "sizes", "limits", "shares"),
    [
        (10, [50, 30, 20], [50, 30, 20], [5, 3, 2]),
        (10, [50, 30, 20], [2, 30, 20], [2, 5, 3]),
        (0, [5, 5], [5, 5], [0, 0]),
        (10, [5, 5], [5, 5], [5, 5]),
    ],
)
def test_shares_follow_the_sizes_within_the_limits(
    total: int, sizes: list[int], limits: list[int], shares: list[int]
) -> None:
    assert proportional_shares(total, np.array(sizes), np.array(limits)).tolist() == shares


def test_bad_options_get_a_sentence() -> None:
    rows = arc(np.linspace(0, 1, 20))
    bad: dict[str, Any] = {
        "core_share": 1.5,
        "noise": 1.0,
        "absorb": 0,
        "penalty": 0,
        "neighbors": 0,
        "steps": -1,
    }
    for name, value in bad.items():
        with pytest.raises(vecaf.InputError, match=name):
            vecaf.select(rows, 3, "bilaf", **{name: value})
