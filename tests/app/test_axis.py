"""Axes of fractions stay within 0% and 100%, and no two labels are equal."""

from __future__ import annotations

import pytest

from app.shell.components.axis import SPAN, fraction_range, fraction_ticks

CASES: list[list[float]] = [
    [], [0.0], [0.5], [1.0], [1.0, 1.0], [0.98, 0.99], [0.9999, 1.0], [0.87, 0.968], [0.0, 1.0],
    [1 / 7, 2 / 7], [-0.2, 1.3],
]  # fmt: skip


@pytest.mark.parametrize("values", CASES)
def test_an_axis_shows_its_values_and_no_fraction_above_one(values: list[float]) -> None:
    low, high = fraction_range(values)
    assert -0.03 < low < high < 1.03
    assert high - low >= SPAN
    assert all(low < value < high for value in values if 0 <= value <= 1)


@pytest.mark.parametrize("ends", [*map(fraction_range, CASES), (0.981, 0.9834), (0.5, 0.50001)])
def test_ticks_are_round_different_and_within_the_axis(ends: tuple[float, float]) -> None:
    low, high = ends
    ticks = fraction_ticks(low, high)
    labels = [label for _, label in ticks]
    assert 3 <= len(labels) <= 7 and len(set(labels)) == len(labels)
    assert all(low - 1e-9 < value < high + 1e-9 and 0 <= value <= 1 for value, _ in ticks)
    assert all(abs(100 * value - float(label[:-1])) < 1e-9 for value, label in ticks)


def test_ticks_have_the_decimals_that_their_step_needs() -> None:
    assert [label for _, label in fraction_ticks(0.0, 1.0)] == [
        "0%", "20%", "40%", "60%", "80%", "100%",
    ]  # fmt: skip
    assert [label for _, label in fraction_ticks(0.981, 0.9834)] == [
        "98.10%", "98.15%", "98.20%", "98.25%", "98.30%",
    ]  # fmt: skip
