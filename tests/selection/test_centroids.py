"""The shared objective equals a dense form with autograd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import vecaf
from tests.examples import examples
from vecaf.selection import assignment
from vecaf.selection.assignment import nearest, nearest_unused
from vecaf.selection.centroids import optimize_centroids

Array = npt.NDArray[Any]
REFERENCE = (
    Path(__file__).parents[2] / ".." / "shared" / "reference" / "activeft_reference.npz"
).resolve()


def unit(rows: Array) -> Array:
    scaled: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled.astype(np.float32)


def dense(
    features: Array,
    initial: Array,
    fixed: Array,
    weights: Array,
    gains: Array,
    steps: int,
    temperature: float = 0.07,
) -> tuple[Array, list[float]]:
    """The dense form: all scores, autograd, float64."""
    f = torch.from_numpy(features.astype(np.float64))
    theta = torch.from_numpy(initial.astype(np.float64)).requires_grad_()
    still = torch.from_numpy(fixed.astype(np.float64))
    p, g = (torch.from_numpy(value.astype(np.float64)) for value in (weights, gains))
    adam = torch.optim.Adam([theta], lr=1e-3)
    losses = []
    for _ in range(steps):
        c = torch.cat((torch.nn.functional.normalize(theta, dim=1), still))
        s, assigned = (f @ c.T / temperature).exp().max(dim=1)
        repulsion = (c.detach() @ c.T / temperature).exp().sum(dim=0)[assigned]
        loss = (p * -(g * s / (g * s + repulsion)).log()).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    return torch.nn.functional.normalize(theta, dim=1).detach().numpy(), losses


@pytest.mark.shared_data
def test_activeft_gives_the_reference_ids_and_losses() -> None:
    if not REFERENCE.exists():
        pytest.skip(f"{REFERENCE} is absent")
    with np.load(REFERENCE) as reference:
        features, initial = reference["features"], reference["initial_ids"]
        expected, losses = reference["selected_ids"], reference["loss"]
    selected = vecaf.select(features, len(initial), "activeft", initial_ids=initial, steps=300)
    np.testing.assert_array_equal(np.sort(selected.ids), np.sort(expected))
    found = optimize_centroids(features, features[initial], steps=300)
    np.testing.assert_allclose(found.losses, losses, rtol=1e-5)


@examples(20)
@given(
    seed=st.integers(0, 10_000), k=st.integers(1, 8), c=st.integers(0, 3), weighted=st.booleans()
)
def test_the_optimization_equals_the_dense_form(seed: int, k: int, c: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    features = unit(rng.normal(size=(60, 12)) + rng.normal(size=12))
    initial, fixed = features[:k], features[k : k + c]
    weights = rng.uniform(0.1, 1, size=60).astype(np.float32)
    weights /= weights.sum()
    gains = rng.uniform(0.2, 3, size=60).astype(np.float32)
    plain = np.full(60, 1 / 60, dtype=np.float32)
    expected, losses = dense(
        features,
        initial,
        fixed,
        weights if weighted else plain,
        gains if weighted else np.ones(60),
        steps=25,
    )
    found = optimize_centroids(
        features,
        initial,
        fixed=fixed,
        weights=weights if weighted else None,
        gains=gains if weighted else None,
        steps=25,
    )
    np.testing.assert_allclose(found.losses, losses, rtol=1e-5)
    np.testing.assert_allclose(found.centroids, expected, atol=2e-4)


def test_weights_attract_centroids_and_the_released_code_repels_them() -> None:
    """The paper's weights attract centroids to high losses; a gain inside the logarithm doesn't."""
    rng = np.random.default_rng(0)
    left, right = np.eye(8)[0] + np.eye(8)[2], np.eye(8)[1] + np.eye(8)[2]
    features = unit(np.repeat([left, right], 50, axis=0) + 0.05 * rng.normal(size=(100, 8)))
    losses = np.repeat(np.array([1, 8], dtype=np.float32), 50)
    start = unit((left + right)[None])
    weighted = optimize_centroids(features, start, weights=losses, steps=100).centroids[0]
    released = optimize_centroids(features, start, gains=losses, steps=100).centroids[0]
    assert weighted @ right > weighted @ left + 0.1
    assert released @ right < released @ left


def test_large_pools_are_processed_in_slices() -> None:
    features = unit(np.random.default_rng(1).normal(size=(90, 5)))
    sliced = optimize_centroids(features, features[:4], steps=4, batch_rows=30)
    first = optimize_centroids(features[:30], features[:4], steps=1)
    assert sliced.losses[0] == pytest.approx(first.losses[0])
    assert sliced.losses[3] != pytest.approx(sliced.losses[0], abs=1e-6)


@examples(40)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 80),
    share=st.floats(0, 1),
    crowded=st.booleans(),
)
def test_each_centroid_selects_its_nearest_available_row(
    seed: int, n: int, share: float, crowded: bool
) -> None:
    rng = np.random.default_rng(seed)
    features = unit(rng.normal(size=(n, 4)))
    free = rng.random(n) < 0.7
    free[0] = True
    k = max(1, int(share * free.sum()))
    targets = unit(rng.normal(size=(k, 4)) * (0.01 if crowded else 1) + np.eye(4)[0])
    scores = (torch.from_numpy(targets) @ torch.from_numpy(features).T).numpy()
    unused, expected = free.copy(), []
    for row in scores:
        expected.append(int(np.where(unused, row, -np.inf).argmax()))
        unused[expected[-1]] = False
    selected = nearest_unused(features, targets, free)
    for rank, (got, want) in enumerate(zip(selected.tolist(), expected, strict=True)):
        assert free[got] and scores[rank, got] == pytest.approx(scores[rank, want], abs=1e-5)
    assert len(set(selected.tolist())) == k


def test_results_do_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    features, targets = unit(rng.normal(size=(500, 6))), unit(rng.normal(size=(40, 6)))
    free = np.ones(500, dtype=bool)
    whole = nearest(features, targets), nearest_unused(features, targets, free)
    monkeypatch.setattr(assignment, "_CHUNK_SCORES", 40)
    parts = nearest(features, targets), nearest_unused(features, targets, free)
    np.testing.assert_array_equal(parts[0][1], whole[0][1])
    np.testing.assert_allclose(parts[0][0], whole[0][0], rtol=1e-5)
    np.testing.assert_array_equal(parts[1], whole[1])
