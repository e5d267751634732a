"""Nearest-neighbor search, checked against brute force, in blocks and on a memory map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tests.examples import examples
from vecaf.arrays import neighbors, unit_rows
from vecaf.arrays.neighbors import nearest_neighbors, nearest_rows, neighbor_graph, top_k


def unit(n: int, d: int = 8, seed: int = 0) -> NDArray[np.float32]:
    return unit_rows(np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32))


@given(n=st.integers(1, 80), k=st.integers(0, 90), seed=st.integers(0, 99), leave=st.booleans())
@examples(60)
def test_the_nearest_neighbors_match_a_full_sort(n: int, k: int, seed: int, leave: bool) -> None:
    space = unit(n, seed=seed)
    query = unit(1, seed=seed + 1)[0]
    excluded = n // 2 if leave else -1
    rows, cosine = nearest_neighbors(space, query, k, exclude=excluded)
    everything = np.argsort(-(space @ query), kind="stable")
    expected = everything[everything != excluded][:k]
    assert_array_equal(rows, expected)
    assert_allclose(cosine, space[expected] @ query, atol=1e-6)


@given(scores=st.lists(st.integers(-3, 3), max_size=40), k=st.integers(-1, 45))
def test_ties_are_ordered_by_index(scores: list[int], k: int) -> None:
    values = np.array(scores, np.float32)
    assert_array_equal(top_k(values, k), np.argsort(-values, kind="stable")[: max(k, 0)])


def test_a_half_precision_memory_map_is_searched_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = unit(500, 16)
    np.save(tmp_path / "space.npy", space.astype(np.float16))
    kept = np.load(tmp_path / "space.npy", mmap_mode="r")
    monkeypatch.setattr(neighbors, "_BLOCK_ROWS", 64)
    rows, cosine = nearest_neighbors(kept, kept[123], 4, exclude=123)
    exact, exact_cosine = nearest_neighbors(space, space[123], 4, exclude=123)
    assert_array_equal(rows, exact)
    assert_allclose(cosine, exact_cosine, atol=2e-3)


@pytest.mark.parametrize("exclude_self", [True, False])
@pytest.mark.parametrize("k", [0, 1, 5, 99])
def test_neighbors_of_every_row(
    exclude_self: bool, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = unit(60)
    rows = space if exclude_self else unit(11, seed=5)
    monkeypatch.setattr(neighbors, "_BLOCK_NUMBERS", 60 * 7)
    seen: list[tuple[int, int]] = []
    at, cosine = nearest_rows(
        rows,
        space,
        k,
        exclude_self=exclude_self,
        progress=lambda done, total: seen.append((done, total)),
    )
    similarity = rows @ space.T
    if exclude_self:
        np.fill_diagonal(similarity, -np.inf)
    expected = np.argsort(-similarity, axis=1)[:, : min(k, 59 if exclude_self else 60)]
    assert_array_equal(at, expected)
    assert_allclose(cosine, np.take_along_axis(similarity, expected, axis=1), atol=1e-6)
    assert not k or seen[-1] == (len(rows), len(rows))


@pytest.mark.soak  # pynndescent compiles for a minute
def test_the_approximate_graph_finds_nearly_all_neighbors(monkeypatch: pytest.MonkeyPatch) -> None:
    space = unit(600, 6)
    exact, _ = neighbor_graph(space, 10)
    monkeypatch.setattr(neighbors, "EXACT_ROWS", 100)
    with threadpool_limits(1, "openmp"):
        found, cosine = neighbor_graph(space, 10)
        assert torch.get_num_threads() == 1, "Numba changed the number of OpenMP threads"
    assert found.shape == cosine.shape == (600, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, exact, strict=True)])
    assert recall > 0.95
    own = np.arange(600)[:, None]
    assert not (found == own).any()
    assert_allclose(cosine, np.einsum("nd,nkd->nk", space, space[found]), atol=1e-4)
