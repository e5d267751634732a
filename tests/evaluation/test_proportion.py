"""The confidence interval of a share."""

from __future__ import annotations

import numpy as np
from pytest import approx
from scipy.stats import binomtest

from vecaf.evaluation.proportion import wilson


def test_the_interval_is_that_of_scipy() -> None:
    for hits, total in ((0, 5), (5, 5), (87, 100), (3, 7)):
        expected = binomtest(hits, total).proportion_ci(method="wilson")
        found = wilson(hits, total)
        assert found.value == hits / total and found.total == total
        assert (found.low, found.high) == approx((expected.low, expected.high))


def test_it_covers_the_true_share() -> None:
    hits = np.random.default_rng(0).binomial(100, 0.9, 2000)
    covered = [wilson(int(one), 100).low <= 0.9 <= wilson(int(one), 100).high for one in hits]
    assert 0.92 < np.mean(covered) < 0.98
