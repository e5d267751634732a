from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecaf


def counts(losses: list[float], draws: int = 400, **options: Any) -> list[int]:
    """How often each row is selected in the first half, over many seeds."""
    n = len(losses)
    features = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    found = np.zeros(n, dtype=int)
    for seed in range(draws):
        selected = vecaf.select(
            features, n // 2, "importance", losses=np.array(losses, np.float32), seed=seed,
            **options,
        )  # fmt: skip
        found[selected.ids] += 1
    return [int(count) for count in found]


def test_rows_with_a_higher_loss_are_drawn_more_often() -> None:
    cheap, dear = [0.1] * 10, [1.0] * 10
    found = counts([*cheap, *dear])
    assert sum(found[10:]) > 3 * sum(found[:10]) > 0


def test_gamma_0_draws_uniformly() -> None:
    found = counts([0.1] * 10 + [1.0] * 10, gamma=0.0)
    assert abs(sum(found[10:]) / sum(found) - 0.5) < 0.03


def test_losses_above_the_ceiling_have_equal_weights() -> None:
    found = counts([1.0] * 16 + [2.0, 2.0, 50.0, 500.0], ceiling=0.8)
    assert max(found[16:]) < 1.25 * min(found[16:])


def test_negative_losses_are_rejected() -> None:
    with pytest.raises(vecaf.InputError, match="cross-entropy is never negative"):
        counts([-0.1, 1.0], draws=1)


def test_zero_losses_are_drawn_uniformly() -> None:
    assert sum(counts([0.0] * 10, draws=20)) == 100


@pytest.mark.parametrize("strategy", ["vecaf", "importance"])
def test_exponents_that_overflow_are_rejected(strategy: str) -> None:
    rows = np.random.default_rng(0).normal(size=(50, 4))
    losses = np.linspace(0.1, 9, 50)
    with pytest.raises(vecaf.InputError, match="from -10 to 10"):
        vecaf.select(rows, 5, strategy, losses=losses, gamma=100)


def test_ragged_lists_and_numbers_that_do_not_fit_get_a_sentence() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 4))
    with pytest.raises(vecaf.InputError, match="different lengths"):
        vecaf.select(rows, 5, "vecaf", labels=[[1], [2, 3]])
    with pytest.raises(vecaf.InputError, match="too large for float32"):
        vecaf.select(rows * 1e39, 5, "kmeans")
