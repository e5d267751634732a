"""The bound of the error rate holds over repeated draws, and thresholds depend on no label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vecaf.errors import InputError
from vecaf.evaluation.error_guarantee import (
    error_bound,
    fewest_checked,
    find_threshold,
    more_images_needed,
)

Draw = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def draw(rng: np.random.Generator, images: int, checked: int, hardness: float = 0.3) -> Draw:
    """Return confidences and errors of the rest and of the check images, drawn at random."""
    confidence = rng.beta(6, hardness, images).astype(np.float32)
    wrong = rng.random(images) < 1 - confidence  # calibrated
    order = rng.permutation(images)
    check, rest = order[:checked], order[checked:]
    return confidence[rest], wrong[rest], confidence[check], wrong[check]


@pytest.mark.parametrize(
    ("images", "checked", "max_error", "hardness"), [(2000, 150, 0.02, 0.1), (400, 60, 0.05, 0.3)]
)
def test_promised_error_is_exceeded_in_at_most_a_tenth_of_draws(
    images: int, checked: int, max_error: float, hardness: float
) -> None:
    rng = np.random.default_rng(0)
    exceeded, labeled = 0, []
    for _ in range(200):
        rest, rest_wrong, check, wrong = draw(rng, images, checked, hardness)
        found = find_threshold(rest, check, wrong, max_error=max_error, failure=0.1)
        above = np.zeros(len(rest), bool) if found is None else rest >= found.threshold
        labeled.append(above.mean())
        exceeded += bool(above.any()) and rest_wrong[above].mean() > max_error
    assert exceeded <= 0.1 * 200
    assert np.mean(labeled) > 0.25  # the bound is of use


@given(
    images=st.integers(2, 300),
    share=st.floats(0.01, 1),
    wrong_share=st.floats(0, 1),
    failure=st.sampled_from([0.01, 0.1, 0.5]),
)
def test_bound_is_the_largest_number_of_errors_that_is_not_rejected(
    images: int, share: float, wrong_share: float, failure: float
) -> None:
    checked = max(1, round(share * images))
    wrong = round(wrong_share * checked)
    errors = round(error_bound(images, checked, wrong, failure) * images)
    assert wrong <= errors <= images - (checked - wrong)
    if errors < images - (checked - wrong):
        assert stats.hypergeom.cdf(wrong, images, errors + 1, checked) <= failure
    if errors > wrong:
        assert stats.hypergeom.cdf(wrong, images, errors, checked) > failure


def test_bound_of_many_images_is_that_of_clopper_and_pearson() -> None:
    exact = stats.binomtest(3, 200).proportion_ci(confidence_level=0.8, method="exact").high
    assert error_bound(1_000_000, 200, 3, 0.1) == pytest.approx(exact, abs=2e-4)


@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_fewest_check_images_that_can_pass_do_pass(wrong: int) -> None:
    count = fewest_checked(0.02, 0.1, wrong)
    bounds = [error_bound(1_000_000, checked, wrong, 0.1) for checked in (count, count - 1)]
    assert bounds[0] <= 0.02 < bounds[1]


def test_too_few_check_images_label_nothing_and_the_estimate_of_more_is_enough() -> None:
    rng = np.random.default_rng(1)
    rest, check = rng.random(5000, np.float32), rng.random(20, np.float32)
    right = np.zeros(20, bool)
    assert find_threshold(rest, check, right, max_error=0.02, failure=0.1) is None
    more = more_images_needed(rest, check, right, max_error=0.02, failure=0.1)
    assert more is not None
    check = np.concatenate([check, rng.random(more, np.float32)])
    found = find_threshold(rest, check, np.zeros(len(check), bool), max_error=0.02, failure=0.1)
    assert found is not None


def test_more_check_images_do_not_help_a_model_that_is_wrong_too_often() -> None:
    rng = np.random.default_rng(2)
    rest, check = rng.random(500, np.float32), rng.random(100, np.float32)
    wrong = rng.random(100) < 0.4
    assert find_threshold(rest, check, wrong, max_error=0.05, failure=0.1) is None
    assert more_images_needed(rest, check, wrong, max_error=0.05, failure=0.1) is None


def test_order_of_images_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    rest, _, check, wrong = draw(rng, 1000, 200)
    found = find_threshold(rest, check, wrong, max_error=0.05, failure=0.1)
    order = rng.permutation(200)
    again = find_threshold(rest[::-1], check[order], wrong[order], max_error=0.05, failure=0.1)
    assert found is not None and again == found


@pytest.mark.parametrize(("max_error", "failure"), [(0, 0.1), (1, 0.1), (0.1, 0), (0.1, 1)])
def test_shares_outside_of_0_and_1_are_refused(max_error: float, failure: float) -> None:
    none = np.zeros(0, np.float32)
    with pytest.raises(InputError, match="percentage"):
        find_threshold(none, none, none > 0, max_error=max_error, failure=failure)


def test_no_check_images_label_nothing() -> None:
    none = np.zeros(0, np.float32)
    rest = np.ones(10, np.float32)
    assert find_threshold(rest, none, none > 0, max_error=0.1, failure=0.1) is None


@pytest.mark.parametrize(("checked", "max_error"), [(60, 0.05), (240, 0.05), (240, 0.02)])
def test_a_model_without_errors_is_rarely_refused(checked: int, max_error: float) -> None:
    """The number of check images above the strictest threshold varies with the draw."""
    rng = np.random.default_rng(0)
    confidence = rng.random(1500, dtype=np.float32)
    refused = 0
    for _ in range(100):
        check = rng.choice(len(confidence), checked, replace=False)
        found = find_threshold(
            np.delete(confidence, check), confidence[check], np.zeros(checked, dtype=bool),
            max_error=max_error, failure=0.1,
        )  # fmt: skip
        refused += found is None
    assert refused <= 20
