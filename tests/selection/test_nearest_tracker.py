"""The tracker of nearest centroids gives the results of a full comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecaf
from benchmarks.speed.plain_selection import plain_assignment, plain_descent
from tests.examples import examples
from tests.selection.clusters import unit
from vecaf.selection import nearest_tracker
from vecaf.selection.assignment import assign, nearest, nearest_unused
from vecaf.selection.centroids import optimize_centroids
from vecaf.selection.nearest_tracker import NearestTracker
from vecaf.selection.stored_rows import read_rows

Array = npt.NDArray[Any]


def exact_rows(n: int, rng: np.random.Generator, d: int = 7) -> Array:
    """Unit rows with four entries ±½: scores, and therefore ties, are exact in float32."""
    places = np.argsort(rng.random((n, d)), axis=1)[:, :4]
    rows = np.zeros((n, d), dtype=np.float32)
    np.put_along_axis(rows, places, rng.choice([-0.5, 0.5], size=(n, 4)).astype(np.float32), axis=1)
    return rows


@examples(30)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 70),
    k=st.integers(1, 60),
    room=st.integers(1, 12),
    pace=st.sampled_from([0.0, 0.003, 0.03, 0.3]),
)
def test_tracked_assignments_equal_a_full_comparison(
    seed: int, n: int, k: int, room: int, pace: float
) -> None:
    rng = np.random.default_rng(seed)
    rows = unit(rng.normal(size=(n, 6)) + rng.normal(size=6)).astype(np.float32)
    centroids = rows[rng.integers(n, size=k)]
    kept = NearestTracker(rows, k, room)
    for _ in range(12):
        with (
            pytest.MonkeyPatch.context() as patch
        ):  # with so few centroids, some move faster than the pace
            patch.setattr(nearest_tracker, "_FAST", 0.3)
            best, assigned = kept.find(centroids)
        scores = rows.astype(np.float64) @ centroids.T.astype(np.float64)
        np.testing.assert_allclose(best, scores.max(axis=1), atol=1e-6)
        np.testing.assert_allclose(scores[np.arange(n), assigned], scores.max(axis=1), atol=1e-6)
        speed = pace * np.where(rng.random((k, 1)) < 0.1, 8, 1)  # a few are much faster
        centroids = unit(centroids + speed * rng.normal(size=(k, 6))).astype(np.float32)


@examples(25)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), k=st.integers(1, 40))
def test_of_equal_centroids_the_first_counts(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    rows, centroids = exact_rows(n, rng), exact_rows(k, rng)
    kept = NearestTracker(rows, k, room=5)
    for _ in range(6):
        expected = (rows @ centroids.T).argmax(axis=1)
        np.testing.assert_array_equal(kept.find(centroids)[1], expected)
        np.testing.assert_array_equal(nearest(rows, centroids)[1], expected)
        moved = rng.random(k) < 0.3
        centroids = np.where(moved[:, None], exact_rows(k, rng), centroids)


def test_most_comparisons_are_avoided() -> None:
    """Otherwise the bounds would be useless."""
    rng = np.random.default_rng(0)
    rows = unit(rng.normal(size=(3000, 32))).astype(np.float32)
    centroids = rows[:400]
    kept = NearestTracker(rows, 400)
    for _ in range(20):
        kept.find(centroids)
        centroids = unit(centroids + 0.0005 * rng.normal(size=(400, 32))).astype(np.float32)
    assert kept.products < 2 * rows.shape[0] * 400  # the first step compares all


@examples(12)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 150),
    share=st.floats(0, 1),
    duplicates=st.booleans(),
)
def test_ids_equal_those_of_the_dense_form(
    seed: int, n: int, share: float, duplicates: bool
) -> None:
    rng = np.random.default_rng(seed)
    rows = unit(rng.normal(size=(n, 10)) + rng.normal(size=10)).astype(np.float32)
    if duplicates:
        rows[n // 2 :] = rows[: n - n // 2]
    k = max(1, int(share * n))
    expected = plain_assignment(rows, plain_descent(rows, rows[:k], 40))
    found = optimize_centroids(rows, rows[:k], steps=40).centroids
    selected = nearest_unused(rows, found, np.ones(n, dtype=bool))
    for place, (got, want) in enumerate(zip(selected, expected, strict=True)):
        if not np.allclose(rows[got], rows[want]):  # duplicates are interchangeable
            nearly = rows[[got, want]] @ found[place]
            assert abs(nearly[0] - nearly[1]) < 2e-4, "not a tie that rounding could turn"
            return  # the following assignments depend on these


@examples(25)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 90), k=st.integers(1, 60), c=st.integers(0, 5))
def test_one_pass_assigns_and_covers_as_a_full_sort_does(seed: int, n: int, k: int, c: int) -> None:
    rng = np.random.default_rng(seed)
    rows, fixed = exact_rows(n, rng), exact_rows(c, rng)
    centroids = exact_rows(min(k, n), rng)
    free = np.ones(n, dtype=bool)
    free[rng.permutation(n)[: rng.integers(0, n - len(centroids) + 1)]] = False
    found = assign(rows, centroids, fixed, free)
    open_rows = np.flatnonzero(free)
    np.testing.assert_array_equal(
        found.selected, open_rows[plain_assignment(rows[open_rows], centroids)]
    )
    scores = rows @ np.concatenate((centroids, fixed)).T
    np.testing.assert_array_equal(found.assigned, scores.argmax(axis=1))
    np.testing.assert_array_equal(found.similarity, scores.max(axis=1))


def test_centroids_with_exhausted_lists_still_select_the_nearest_row() -> None:
    rng = np.random.default_rng(3)
    rows = unit(rng.normal(size=(300, 5))).astype(np.float32)
    centroids = np.repeat(rows[:1], 150, axis=0)
    expected = np.argsort(-(rows @ rows[0]), kind="stable")[:150]
    np.testing.assert_array_equal(
        nearest_unused(rows, centroids, np.ones(300, dtype=bool)), expected
    )


def test_a_mapped_float16_file_gives_the_same_selection_and_is_never_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.random.default_rng(4).normal(size=(400, 12)).astype(np.float16)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    options: dict[str, Any] = {"steps": 30, "batch_rows": 100, "selected": [3, 5]}
    expected = vecaf.select(rows, 40, "activeft", **options)
    with monkeypatch.context() as patch:
        patch.setattr(
            "vecaf.selection.strategy_pool.Pool.features", property(lambda _: pytest.fail())
        )
        found = vecaf.select(mapped, 40, "activeft", **options)
    np.testing.assert_array_equal(found.ids, expected.ids)
    for name, scores in expected.scores.items():
        np.testing.assert_array_equal(found.scores[name], scores)
    np.testing.assert_array_equal(mapped, rows)
    other = vecaf.select(mapped, 10, "kmeans")
    np.testing.assert_array_equal(other.ids, vecaf.select(rows, 10, "kmeans").ids)


def test_all_storage_formats_give_unit_rows() -> None:
    rows = np.array([[3, 4], [0, 0], [60000, 0]], dtype=np.float16)
    expected = np.array([[0.6, 0.8], [0, 0], [1, 0]], dtype=np.float32)
    np.testing.assert_allclose(read_rows(rows, slice(None)), expected, rtol=1e-6)
    held = np.eye(3, dtype=np.float32)
    assert np.shares_memory(read_rows(held, slice(1, 3)), held)
