"""CEA: the formula, the attention, and captions that are few, shared or useless."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from vecaf.augmentation import cea
from vecaf.augmentation.cea import augment
from vecaf.augmentation.ridge import fit_ridge
from vecaf.errors import InputError

Array = npt.NDArray[np.float32]


def pairs(n: int, distinct: int | None = None, seed: int = 0) -> tuple[Array, Array]:
    """Make features (n, 7) that their captions (n, 5), `distinct` of them, partly explain."""
    rng = np.random.default_rng(seed)
    captions = rng.normal(size=(distinct or n, 5))[np.arange(n) % (distinct or n)]
    features = captions @ rng.normal(size=(5, 7)) + rng.normal(size=(n, 7)) + 2
    return features.astype(np.float32), captions.astype(np.float32)


@pytest.mark.parametrize("n", [30, 60])  # few captions are all multiplied, many are gathered
def test_it_is_the_formula(n: int) -> None:
    features, captions = pairs(n)
    ridge = fit_ridge(captions, features)
    got = augment(features, captions, ridge=ridge, strength=0.4, candidates=3, temperature=0.2)
    mapped = ridge.apply(captions)
    unit = captions / np.linalg.norm(captions, axis=1, keepdims=True)
    for i in (0, 11, 29):
        near = np.argsort(-(unit @ unit[i]))[:3]
        np.testing.assert_array_equal(got.captions[i], near)
        e, t = features[i] - features.mean(0), mapped[near] - features.mean(0)
        cosine = t @ e / np.linalg.norm(t, axis=1) / np.linalg.norm(e)
        alpha = np.exp(cosine / 0.2) / np.exp(cosine / 0.2).sum()
        np.testing.assert_allclose(got.attention[i], alpha, atol=1e-5)
        moved = features[i] - 0.4 * (alpha[:, None] * (features[i] - mapped[near])).sum(0)
        moved *= np.linalg.norm(features[i]) / np.linalg.norm(moved)
        np.testing.assert_allclose(got.features[i], moved, rtol=1e-4)


@pytest.mark.parametrize("distinct", [5, 90])
def test_some_rows_alone_are_moved_as_among_all(distinct: int) -> None:
    features, captions = pairs(90, distinct)
    whole = augment(features, captions, candidates=3)
    only = np.array([70, 3, 4])
    some = augment(features, captions, candidates=3, only=only)
    np.testing.assert_array_equal(some.captions, whole.captions[only])
    np.testing.assert_allclose(some.features, whole.features[only], rtol=1e-6)
    np.testing.assert_allclose(some.attention, whole.attention[only], rtol=1e-5)


@examples(25)
@given(
    n=st.integers(1, 40),
    distinct=st.integers(1, 40),
    candidates=st.integers(1, 12),
    strength=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_attention_is_a_distribution_and_lengths_are_kept(
    n: int, distinct: int, candidates: int, strength: float, seed: int
) -> None:
    features, captions = pairs(n, min(n, distinct), seed)
    got = augment(features, captions, candidates=candidates, strength=strength)
    m = min(candidates, n, distinct)
    assert got.attention.shape == got.captions.shape == (n, m)
    np.testing.assert_allclose(got.attention.sum(axis=1), 1, atol=1e-5)
    assert (got.attention >= 0).all()
    np.testing.assert_array_equal(captions[got.captions[:, 0]], captions)  # its own comes first
    assert all(len(set(row)) == m for row in got.captions.tolist())
    np.testing.assert_allclose(
        np.linalg.norm(got.features, axis=1), np.linalg.norm(features, axis=1), rtol=1e-4
    )


def test_no_strength_returns_the_features_themselves() -> None:
    features, captions = pairs(20)
    got = augment(features, captions, strength=0)
    np.testing.assert_array_equal(got.features, features)
    assert got.shift.max() < 1e-6


def test_one_distinct_caption_pulls_to_the_mean() -> None:
    features, captions = pairs(12, distinct=1)
    got = augment(features, captions, strength=1.0)
    np.testing.assert_array_equal(got.attention, np.ones((12, 1)))
    direction = got.features / np.linalg.norm(got.features, axis=1, keepdims=True)
    mean = features.mean(0) / np.linalg.norm(features.mean(0))
    np.testing.assert_allclose(direction, np.tile(mean, (12, 1)), atol=1e-5)


def test_an_image_attends_to_the_caption_that_fits_it() -> None:
    rng = np.random.default_rng(5)
    captions = np.eye(4, dtype=np.float32)[np.arange(80) % 4]
    features = captions @ np.eye(4, 6, dtype=np.float32) + 0.05 * rng.normal(size=(80, 6))
    ridge = fit_ridge(captions, features)
    captions[0] = captions[1]  # image 0 is captioned wrongly
    got = augment(features, captions, ridge=ridge, candidates=4)
    assert got.attention[1:, 0].min() > 0.9
    assert got.attention[0, 0] < 0.1  # the released program's α would be 1


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    features, captions = pairs(50, distinct=17)
    whole = augment(features, captions)
    monkeypatch.setattr(cea, "_CHUNK_NUMBERS", 100)
    parts = augment(features, captions)
    np.testing.assert_allclose(parts.features, whole.features, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(parts.captions, whole.captions)


def test_bad_input_gets_a_sentence() -> None:
    features, captions = pairs(6)
    holed = captions.copy()
    holed[4, 0] = np.inf
    with pytest.raises(InputError, match="row 4"):
        augment(features, holed)
    with pytest.raises(InputError, match="one caption per image"):
        augment(features, captions[:5])
    with pytest.raises(InputError, match="Fit the map on features of the same model"):
        augment(features, captions, ridge=fit_ridge(captions, features[:, :3]))
    for name, value in (("strength", 1.5), ("candidates", 0), ("temperature", 0.0)):
        with pytest.raises(InputError, match=name):
            augment(features, captions, **{name: value})  # type: ignore[arg-type]
