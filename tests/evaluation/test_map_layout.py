"""Map layouts: exact principal components, reproducible UMAP, placement of new rows."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tests.examples import examples
from vecaf.arrays import unit_rows
from vecaf.arrays.neighbors import nearest_rows
from vecaf.arrays.principal_components import Basis, fit_basis
from vecaf.evaluation.map_layout import COMPILED, first_two, layout_map, place_rows

Floats = NDArray[np.float32]
CLUSTERS = 3


def clusters(n: int, d: int = 40, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Create features of n images in three well-separated groups, and the group of each."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % CLUSTERS
    centers = rng.normal(size=(CLUSTERS, d)) * 3
    return (centers[group] + rng.normal(size=(n, d)) + 2).astype(np.float32), group


def in_space(features: Floats) -> tuple[Basis, Floats]:
    basis = fit_basis(features)
    return basis, basis.project(features)


@given(n=st.integers(1, 60), d=st.integers(1, 12), m=st.integers(1, 16), seed=st.integers(0, 99))
@examples(60)
def test_components_are_those_of_the_centered_unit_rows(n: int, d: int, m: int, seed: int) -> None:
    features = np.random.default_rng(seed).normal(1, 2, (n, d)).astype(np.float32)
    basis = fit_basis(features, m)
    assert basis.components.shape == (d, min(m, d))
    rows = unit_rows(features)
    centered = (rows - rows.mean(axis=0)).astype(np.float64)
    projected = basis.project(features)
    length = np.linalg.norm(basis.components, axis=0)
    assert ((np.abs(length - 1) < 1e-4) | (length == 0)).all()  # an axis without variance is zero
    # The maximum variance of m axes: the sum of the squared singular values.
    best = (np.linalg.svd(centered, compute_uv=False)[:m] ** 2).sum()
    assert_allclose((projected.astype(np.float64) ** 2).sum(), best, rtol=1e-3, atol=1e-4)


def test_the_basis_does_not_depend_on_order_or_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    features, _ = clusters(300)
    one = fit_basis(features, 8)
    order = np.random.default_rng(1).permutation(300)
    monkeypatch.setattr("vecaf.arrays.principal_components._BLOCK_ROWS", 7)
    other = fit_basis(features[order], 8)
    assert_allclose(other.components, one.components, atol=2e-4)
    assert_allclose(other.project(features), one.project(features), atol=2e-4)


def test_rows_without_variance_are_placed_at_the_origin() -> None:
    basis, coordinates = in_space(np.ones((20, 5), np.float32))
    assert_array_equal(basis.components, 0)
    assert_array_equal(first_two(coordinates), 0)
    assert first_two(np.ones((4, 1), np.float32)).shape == (4, 2)


def laid_out(features: Floats, text: Floats, limit: int = 1000) -> tuple[Floats, Floats]:
    basis, coordinates = in_space(features)
    space, words = unit_rows(coordinates), unit_rows(basis.project(text))
    return layout_map(space, words, first_two(coordinates), limit=limit)


def test_the_loops_of_umap_are_cached_on_disk() -> None:
    features, _ = clusters(40)
    laid_out(features, features)
    loops = [getattr(import_module(module), name) for module, name in COMPILED]
    for loop in loops:
        assert loop.stats.cache_hits or loop.stats.cache_misses, loop  # both are empty without


def test_umap_is_reproducible_and_keeps_groups_together() -> None:
    features, group = clusters(240)
    image, text = laid_out(features, features)
    assert image.shape == (240, 2) and image.dtype == np.float32
    assert_array_equal(image, laid_out(features, features)[0])
    assert_array_equal(text, image)  # unchanged features do not move
    near, _ = nearest_rows(unit_rows(image - image.mean(axis=0)), unit_rows(image), 1)
    assert near.shape == (240, 1)
    distance = np.linalg.norm(image[:, None] - image[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (group[distance.argmin(axis=1)] == group).mean() > 0.99


def test_computing_a_map_does_not_change_the_thread_count_of_pytorch() -> None:
    """Numba sets the OpenMP threads to the number of cores; later results must not change."""
    features, _ = clusters(40)
    with threadpool_limits(1, "openmp"):
        laid_out(features, features)
        assert torch.get_num_threads() == 1


def test_captions_move_only_their_images() -> None:
    features, group = clusters(240)
    text = features.copy()
    moved = np.flatnonzero(group == 0)[:20]
    target = features[group == 1].mean(axis=0)
    text[moved] = 0.1 * features[moved] + 0.9 * target
    image, words = laid_out(features, text)
    still = np.setdiff1d(np.arange(240), moved)
    assert_array_equal(words[still], image[still])
    center = image[group == 1].mean(axis=0)
    before = np.linalg.norm(image[moved] - center, axis=1)
    after = np.linalg.norm(words[moved] - center, axis=1)
    assert (after < 0.5 * before).all()


def test_rows_beyond_the_limit_are_placed_on_the_map() -> None:
    features, group = clusters(400)
    image, _ = laid_out(features, features, limit=200)
    centers = np.stack([image[group == number].mean(axis=0) for number in range(CLUSTERS)])
    nearest_center = np.linalg.norm(image[:, None] - centers, axis=2).argmin(axis=1)
    assert (nearest_center == group).mean() > 0.99


@pytest.mark.parametrize("n", [1, 2, 5, 16])
def test_a_few_rows_stay_at_their_principal_components(n: int) -> None:
    features, _ = clusters(n)
    _, coordinates = in_space(features)
    image, text = laid_out(features, features)
    assert_array_equal(image, first_two(coordinates))
    assert_array_equal(text, image)


@given(seed=st.integers(0, 99), k=st.integers(1, 6))
@examples(30)
def test_a_row_is_placed_between_its_neighbors(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    space = unit_rows(rng.normal(size=(30, 5)).astype(np.float32))
    positions = rng.normal(size=(30, 2)).astype(np.float32)
    rows = unit_rows(rng.normal(size=(7, 5)).astype(np.float32))
    at, cosine = nearest_rows(rows, space, k)
    placed = place_rows(rows, positions, lambda _: (at, 1 - cosine))
    around = positions[at]
    assert (placed >= around.min(axis=1) - 1e-5).all()
    assert (placed <= around.max(axis=1) + 1e-5).all()
    if k == 1:
        assert_allclose(placed, positions[at[:, 0]], atol=1e-6)
