"""The ridge map against the textbook's formula, and its choice of λ."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from vecaf.augmentation.ridge import fit_ridge
from vecaf.errors import InputError


@examples(20)
@given(seed=st.integers(0, 10_000), m=st.integers(3, 60), d_t=st.integers(1, 12))
def test_the_weights_solve_the_normal_equations(seed: int, m: int, d_t: int) -> None:
    rng = np.random.default_rng(seed)
    text, features = rng.normal(size=(m, d_t)), rng.normal(size=(m, 5))
    ridge = fit_ridge(text, features, regularization=0.3)
    t, f = text - text.mean(0), features - features.mean(0)
    penalty = 0.3 * (t * t).sum() / d_t * np.eye(d_t)
    expected = np.linalg.solve(t.T @ t + penalty, t.T @ f)
    np.testing.assert_allclose(ridge.weight, expected, atol=1e-5)
    np.testing.assert_allclose(ridge.apply(text), t @ expected + features.mean(0), atol=1e-4)


def test_cross_validation_shrinks_noise_and_keeps_signal() -> None:
    rng = np.random.default_rng(0)
    text = rng.normal(size=(300, 40))
    truth = rng.normal(size=(40, 8))
    signal = fit_ridge(text, text @ truth + 0.01 * rng.normal(size=(300, 8)))
    noise = fit_ridge(text, rng.normal(size=(300, 8)))
    assert signal.regularization < 1e-2 < 1 <= noise.regularization
    np.testing.assert_allclose(signal.weight, truth, atol=0.02)


def test_cross_validation_is_near_the_best_on_new_rows() -> None:
    rng = np.random.default_rng(1)
    text, fresh = rng.normal(size=(80, 60)), rng.normal(size=(2000, 60))
    truth = rng.normal(size=(60, 4))
    features = text @ truth + 6 * rng.normal(size=(80, 4))

    def error(regularization: float | None) -> float:
        mapped = fit_ridge(text, features, regularization=regularization).apply(fresh)
        return float(((mapped - fresh @ truth) ** 2).mean())

    best = min(error(value) for value in np.logspace(-4, 2, 25))
    assert error(None) < 1.1 * best < 0.5 * error(1e-4)


def test_scale_and_repetition_of_rows_do_not_change_a_given_strength() -> None:
    rng = np.random.default_rng(2)
    text, features = rng.normal(size=(50, 6)), rng.normal(size=(50, 3))
    once = fit_ridge(text, features, regularization=0.5).apply(text)
    scaled = fit_ridge(9 * text, features, regularization=0.5).apply(9 * text)
    twice = fit_ridge(np.tile(text, (2, 1)), np.tile(features, (2, 1)), regularization=0.5)
    np.testing.assert_allclose(scaled, once, atol=1e-5)
    np.testing.assert_allclose(twice.apply(text), once, atol=1e-5)


@pytest.mark.parametrize("regularization", [None, 0.0, 1.0])
def test_one_caption_for_all_maps_to_the_mean_feature(regularization: float | None) -> None:
    features = np.random.default_rng(3).normal(size=(9, 4))
    ridge = fit_ridge(np.full((9, 5), 0.1), features, regularization=regularization)
    np.testing.assert_allclose(ridge.apply(np.full(5, 0.1)), features.mean(0), atol=1e-6)
    assert not ridge.weight.any()


def test_a_direction_needs_no_mean() -> None:
    rng = np.random.default_rng(4)
    text = rng.normal(size=(30, 6))
    ridge = fit_ridge(text, rng.normal(size=(30, 3)))
    moved = ridge.apply(text[0]) - ridge.apply(text[1])
    np.testing.assert_allclose(ridge.direction(text[0] - text[1]), moved, atol=1e-5)


def test_bad_input_gets_a_sentence() -> None:
    rows = np.ones((4, 3))
    holed = rows.copy()
    holed[2, 1] = np.nan
    with pytest.raises(InputError, match="row 2"):
        fit_ridge(holed, rows)
    with pytest.raises(InputError, match="one caption per image"):
        fit_ridge(rows[:3], rows)
    with pytest.raises(InputError, match="shape"):
        fit_ridge(rows[:0], rows[:0])
    with pytest.raises(InputError, match="regularization"):
        fit_ridge(rows, rows, regularization=-1.0)
    with pytest.raises(InputError, match="3 dimensions"):
        fit_ridge(rows, rows).apply(np.ones(4))
