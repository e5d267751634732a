"""Costs of a target, intervals, and paired differences, against what is known about them."""

from __future__ import annotations

import numpy as np
import pytest

from vecaf.evaluation.comparison import (
    IMAGES,
    SEEDS,
    Line,
    band,
    cost_of,
    interval,
    paired_over_images,
    paired_over_seeds,
    t_quantile,
)


@pytest.mark.parametrize(
    ("target", "cost"),
    [
        (0.5, 100.0),  # reached exactly by the first round
        (0.3, 100.0),  # passed by the first round: less was not tried
        (0.6, 150.0),  # half way between two rounds
        (0.9, 300.0),
        (0.91, None),
    ],
)
def test_the_cost_of_a_target_is_read_off_the_line(target: float, cost: float | None) -> None:
    found = cost_of(target, (100, 200, 300), (0.5, 0.7, 0.9))
    assert found is None if cost is None else found == pytest.approx(cost)


def test_a_line_that_falls_back_counts_where_it_first_reached_the_target() -> None:
    assert cost_of(0.6, (10, 20, 30), (0.4, 0.8, 0.5)) == pytest.approx(15)
    assert cost_of(0.6, (10, 20, 30), (0.4, 0.3, 0.7)) == pytest.approx(27.5)
    assert cost_of(0.6, (), ()) is None


def test_the_table_of_students_t_is_scipys() -> None:
    special = pytest.importorskip("scipy.special")
    for freedom in (1, 2, 9, 30, 31, 50, 1000):
        assert t_quantile(freedom) == pytest.approx(
            float(special.stdtrit(freedom, 0.975)), abs=6e-4
        )


def test_an_interval_over_seeds() -> None:
    found = interval([0.7, 0.8, 0.9])
    half = 4.303 * 0.1 / 3**0.5
    assert (found.mean, found.low, found.high) == pytest.approx((0.8, 0.8 - half, 0.8 + half))
    one = interval([0.7])
    assert (one.mean, one.low, one.high) == (0.7, None, None)
    with pytest.raises(ValueError, match="at least one"):
        interval([])


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    found = [interval(rng.normal(0.7, 0.05, 4).tolist()) for _ in range(2000)]
    held = np.mean([(i.low or 0) <= 0.7 <= (i.high or 0) for i in found])
    assert 0.935 < held < 0.965


def test_seeds_are_paired() -> None:
    first = {0: 0.80, 1: 0.70, 2: 0.90, 7: 0.1}
    second = {0: 0.79, 1: 0.691, 2: 0.89, 8: 0.9}  # a point below it, whatever the seed did
    found = paired_over_seeds(first, second)
    assert found is not None and found.over == SEEDS and found.n == 3
    assert found.mean == pytest.approx(0.01, abs=0.001)
    assert found.beyond_chance
    assert paired_over_seeds({0: 0.9}, {0: 0.1}) is None
    assert paired_over_seeds({0: 0.9, 1: 0.9}, {2: 0.1, 3: 0.1}) is None


def test_images_are_paired_and_the_interval_has_the_spread_it_should() -> None:
    rng = np.random.default_rng(1)
    n = 400
    second = rng.random(n) < 0.7
    flips = rng.random(n) < 0.1
    first = second ^ flips
    found = paired_over_images(first, second)
    assert found is not None and found.over == IMAGES and found.n == n
    assert found.mean == pytest.approx(first.mean() - second.mean())
    spread = np.std(first.astype(float) - second.astype(float)) / n**0.5
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * spread, rel=0.1)
    # Unpaired, the same difference would be lost in the noise of 400 images.
    assert (found.high - found.low) / 2 < 1.96 * (2 * 0.7 * 0.3 / n) ** 0.5 / 1.5


def test_a_handful_that_agrees_by_luck_is_not_beyond_chance() -> None:
    for n in (1, 2, 3):
        found = paired_over_images(np.ones(n, bool), np.zeros(n, bool))
        assert found is not None and found.mean == 1 and found.low < 1 and not found.beyond_chance
    rng = np.random.default_rng(0)
    for n in (8, 30):
        beyond = 0
        for _ in range(1000):
            pair = paired_over_images(rng.random(n) < 0.6, rng.random(n) < 0.6)
            assert pair is not None
            beyond += pair.beyond_chance
        assert beyond <= 60  # of equal models: 50 are expected
    seeds = paired_over_seeds({0: 0.5, 1: 0.75}, {0: 0.25, 1: 0.5})
    assert seeds is not None and seeds.mean == 0.25 and not seeds.beyond_chance


def test_equal_runs_differ_by_nothing() -> None:
    right = np.array([True, False, True])
    found = paired_over_images(right, right)
    assert found is not None
    assert found.mean == 0 and found.low == -found.high < 0 and not found.beyond_chance
    assert paired_over_images(right[:0], right[:0]) is None


def test_a_band_holds_every_seed_that_got_so_far() -> None:
    lines = [Line((10, 20), (5, 15), (0.5, 0.7)), Line((10,), (7,), (0.6,))]
    spent, means = band(lines, "batches")
    assert spent == [6.0, 15.0]
    assert [item.n for item in means] == [2, 1]
    assert means[0].mean == pytest.approx(0.55)
    assert means[1].low is None
    assert band(lines, "labels")[0] == [10.0, 20.0]
    assert band([], "labels") == ([], [])
