"""`vecaf.select`: invalid input and its errors."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import vecaf
from vecaf.errors import InputError
from vecaf.selection.option_checks import parse_options
from vecaf.selection.strategy_pool import canonical_order

ROWS = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"features": ROWS[0]}, "one row per image"),
        ({"features": ROWS[:0]}, "one row per image"),
        ({"features": [[1.0, 2.0], [3.0]]}, "different lengths"),
        ({"features": [["a", "b"]]}, "must contain numbers"),
        ({"budget": 2.5}, "whole number"),
        ({"budget": "3"}, "whole number"),
        ({"budget": 0}, "at least 1"),
        ({"budget": 31}, "at most 30"),
        ({"budget": 1, "selected": np.arange(30)}, "selected already"),
        ({"seed": -1}, "seed"),
        ({"seed": None}, "seed"),
        ({"strategy": "activft"}, "did you mean activeft"),
        ({"strategy": "zzz"}, "choose from"),
        ({"strategy": "activeft", "step": 3}, "Did you mean steps"),
        ({"strategy": "random", "steps": 3}, "has no options"),
        ({"losses": np.ones(29)}, "29 rows"),
        ({"losses": np.full(30, np.nan)}, "NaN"),
        ({"losses": np.ones((30, 2))}, "one number per row"),
        ({"labels": np.ones(30)}, "whole number per row"),
        ({"labels": np.ones(29, dtype=int)}, "29 rows"),
        ({"probabilities": np.ones((29, 3))}, "29 rows"),
        ({"probabilities": np.ones(30)}, "one row per image"),
        ({"selected": [0, 0]}, "twice"),
        ({"selected": [30]}, "row 30"),
        ({"selected": [-1]}, "row -1"),
        ({"selected": [0.5]}, "whole numbers"),
        ({"strategy": "activeft", "initial_ids": [1, 2]}, "Pass 3"),
        ({"strategy": "activeft", "initial_ids": [1, 2, 30]}, "row 30"),
        ({"strategy": "activeft", "steps": -1}, "steps"),
        ({"strategy": "activeft", "steps": 1.5}, "steps"),
        ({"strategy": "activeft", "temperature": 0.0}, "temperature"),
        ({"strategy": "activeft", "learning_rate": float("nan")}, "learning_rate"),
        ({"strategy": "kmeans", "iterations": -1}, "iterations"),
    ],
)
def test_bad_input_gets_a_sentence(arguments: dict[str, Any], says: str) -> None:
    call: dict[str, Any] = {"features": ROWS, "budget": 3, "strategy": "random"} | arguments
    with pytest.raises(vecaf.InputError, match=says):
        vecaf.select(**call)


def test_the_default_strategy_is_vecaf() -> None:
    default = vecaf.select(ROWS, 5, seed=2)
    np.testing.assert_array_equal(default.ids, vecaf.select(ROWS, 5, "vecaf", seed=2).ids)


def test_importing_vecaf_is_light() -> None:
    code = "import sys, vecaf, vecaf.selection; print('torch' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_random_is_uniform_over_rows() -> None:
    rows = np.concatenate((ROWS, np.repeat(ROWS[:1], 10, axis=0)))  # eleven duplicates among 40
    counts = np.zeros(40)
    for seed in range(2000):
        counts[vecaf.select(rows, 10, "random", seed=seed).ids] += 1
    expected = 500
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected * 0.75)


def test_canonical_order_depends_on_seed_and_content_only() -> None:
    order = canonical_order(ROWS, 0)
    assert sorted(order) == list(range(30))
    assert not np.array_equal(order, canonical_order(ROWS, 1))
    flipped = canonical_order(ROWS[::-1], 0)
    np.testing.assert_array_equal(29 - flipped, order)


def test_with_keys_draws_do_not_depend_on_the_last_bits_of_features() -> None:
    keys = np.frombuffer(b"".join(bytes([i]) * 32 for i in range(30)), np.uint8).reshape(30, 32)
    nudged = np.nextafter(ROWS.astype(np.float32), np.inf)
    selected = vecaf.select(ROWS, 8, "random", keys=keys).ids
    np.testing.assert_array_equal(vecaf.select(nudged, 8, "random", keys=keys).ids, selected)
    assert not np.array_equal(vecaf.select(nudged, 8, "random").ids, selected)
    flipped = vecaf.select(ROWS[::-1], 8, "random", keys=keys[::-1]).ids
    np.testing.assert_array_equal(29 - flipped, selected)


@pytest.mark.parametrize("keys", [np.zeros((29, 4), np.uint8), np.zeros(30, np.uint8), ROWS])
def test_invalid_keys_are_rejected(keys: NDArray[Any]) -> None:
    with pytest.raises(vecaf.InputError, match="keys"):
        vecaf.select(ROWS, 8, keys=keys)


def test_options_are_parsed() -> None:
    assert parse_options("") == {}
    assert parse_options(" steps=30, gamma = -0.5,objective=released-code ,") == {
        "steps": 30, "gamma": -0.5, "objective": "released-code",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["steps", "=3", "steps=", "two words=1", "steps=1, steps=2"])
def test_malformed_options_are_rejected(text: str) -> None:
    with pytest.raises(InputError, match="option"):
        parse_options(text)
