"""TypiClust: the densest row of each cluster, the emptiest and largest clusters first."""

from __future__ import annotations

import numpy as np

import vecaf
from tests.selection.clusters import clusters, unit
from vecaf.selection.neighbor_distances import neighbor_distance


def test_the_densest_row_of_each_cluster_largest_first() -> None:
    rows, group = clusters((30, 120, 60))
    selected = vecaf.select(rows, 3, "typiclust", dimensions=0)
    assert group[selected.ids].tolist() == [1, 2, 0]
    for row, value in zip(selected.ids, selected.scores["typicality"], strict=True):
        own = unit(rows[group == group[row]])
        apart = np.sort(np.linalg.norm(own[:, None] - own[None], axis=2), axis=1)
        near = apart[:, 1 : 1 + min(20, len(own) // 2)].mean(axis=1)
        assert np.flatnonzero(group == group[row])[near.argmin()] == row
        np.testing.assert_allclose(value, 1 / (near.min() + 1e-5), rtol=1e-3)
    np.testing.assert_allclose(selected.scores["cluster"], [120 / 210, 60 / 210, 30 / 210])


def test_clusters_with_selected_rows_come_last() -> None:
    rows, group = clusters((100, 80, 60, 40))
    selected = vecaf.select(rows, 2, "typiclust", selected=[5, 120])  # of the two largest
    assert sorted(group[selected.ids].tolist()) == [2, 3]


def test_small_clusters_of_outliers_come_last() -> None:
    rows, group = clusters((100, 80, 4))
    selected = vecaf.select(rows, 3, "typiclust", dimensions=0)
    assert set(group[selected.ids].tolist()) == {0, 1}


def test_clusters_take_turns_for_a_large_budget() -> None:
    rows, group = clusters((40, 40))
    selected = vecaf.select(rows, 10, "typiclust", max_clusters=2)
    assert np.bincount(group[selected.ids]).tolist() == [5, 5]
    assert (np.diff(group[selected.ids]) != 0).all()


def test_neighbor_distances_do_not_depend_on_the_chunk_size() -> None:
    rows = unit(np.random.default_rng(0).normal(size=(500, 8))).astype(np.float32)
    apart = np.sort(np.linalg.norm(rows[:, None] - rows[None], axis=2), axis=1)
    np.testing.assert_allclose(neighbor_distance(rows, 20), apart[:, 1:21].mean(axis=1), atol=1e-5)
    assert neighbor_distance(rows[:1], 20).tolist() == [2.0]
