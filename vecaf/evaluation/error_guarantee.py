"""Choose a confidence threshold above which at most a given share of predictions is wrong.

The check images are a uniformly random sample of all images in question, with labels from people.
All functions are pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecaf.errors import InputError

STEPS = 40  # thresholds that are tested, from the strictest to the most permissive
RESERVE = 1.3  # factor on an estimated number of images, because an estimate can be too low


@dataclass(frozen=True)
class Guarantee:
    """A threshold whose error rate is bounded.

    Attributes
    ----------
    threshold
        Confidence, from 0 to 1. Images at or above it can be labeled by the model.
    error_bound
        Upper confidence bound of the share of wrong predictions at or above the threshold.
    checked, wrong
        Check images at or above the threshold, and how many of them the model gets wrong.
    """

    threshold: float
    error_bound: float
    checked: int
    wrong: int


def error_bound(images: int, checked: int, wrong: int, failure: float) -> float:
    """Return an upper confidence bound of the error rate of a finite set of images.

    The bound is the finite-population form of Clopper and Pearson's: the largest number of errors
    among `images` for which at most `wrong` errors among `checked` random ones still have a
    probability above `failure`.

    Parameters
    ----------
    images
        Number of images, the checked ones included.
    checked, wrong
        Number of images in a uniformly random sample, and the errors among them.
    failure
        Probability that the true error rate exceeds the bound, from 0 to 1 (exclusive).

    References
    ----------
    Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26, 1934.
    """
    from scipy import stats

    low, high = wrong, images - (checked - wrong)  # possible numbers of errors
    while low < high:  # the largest number that is not rejected; the probability falls with it
        middle = (low + high + 1) // 2
        if stats.hypergeom.cdf(wrong, images, middle, checked) > failure:
            low = middle
        else:
            high = middle - 1
    return low / images if images else 1.0


def fewest_checked(max_error: float, failure: float, wrong: int = 0) -> int:
    """Return how many checked images, `wrong` of them wrong, show an error rate of `max_error`.

    >>> fewest_checked(0.02, 0.1)
    114
    >>> fewest_checked(0.02, 0.1, wrong=1)
    194
    """
    checked = math.ceil(math.log(failure) / math.log1p(-max_error))
    while _at_most(wrong, checked, max_error) > failure:
        checked += 1
    return checked


def _at_most(wrong: int, checked: int, rate: float) -> float:
    """Return the probability of at most `wrong` errors, each of `checked` with this rate."""
    return sum(
        math.comb(checked, errors) * rate**errors * (1 - rate) ** (checked - errors)
        for errors in range(wrong + 1)
    )


def find_threshold(
    confidence: NDArray[np.float32],
    checked_confidence: NDArray[np.float32],
    checked_wrong: NDArray[np.bool_],
    *,
    max_error: float,
    failure: float,
) -> Guarantee | None:
    """Find the lowest threshold whose error rate is at most `max_error`.

    With probability at least 1 − `failure` over the draw of the check images, at most a share
    `max_error` of all images at or above the returned threshold is predicted wrongly. This holds
    for any model and any confidence, because thresholds are tested in a fixed order, from strict
    to permissive, until the first one fails (fixed-sequence testing).

    Parameters
    ----------
    confidence : array of shape (m,)
        Confidence of the predictions that nobody has checked, from 0 to 1.
    checked_confidence : array of shape (n,)
        The same of the check images.
    checked_wrong : array of shape (n,)
        Whether the prediction of each check image is wrong.
    max_error
        Acceptable share of wrong predictions, from 0 to 1 (exclusive).
    failure
        Probability with which the guarantee may fail, such as 0.1.

    Returns
    -------
    Guarantee or None
        None if not even the strictest threshold passes. `more_images_needed` says what would help.

    Raises
    ------
    InputError
        `max_error` or `failure` is not between 0 and 1.

    References
    ----------
    Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test: Calibrating predictive algorithms
    to achieve risk control", arXiv 2110.01052, 2021 (fixed-sequence testing, section 3).
    """
    _check_shares(max_error, failure)
    everything = np.concatenate([confidence, checked_confidence])
    thresholds = _thresholds(everything, len(checked_confidence), max_error, failure)
    last: tuple[float, int, int, int] | None = None
    for threshold in thresholds:
        above = checked_confidence >= threshold
        checked, wrong = int(above.sum()), int(checked_wrong[above].sum())
        images = int((everything >= threshold).sum())
        if not _rejects(images, checked, wrong, max_error, failure):
            break
        last = float(threshold), images, checked, wrong
    if last is None:
        return None
    threshold, images, checked, wrong = last
    return Guarantee(threshold, error_bound(images, checked, wrong, failure), checked, wrong)


def more_images_needed(
    confidence: NDArray[np.float32],
    checked_confidence: NDArray[np.float32],
    checked_wrong: NDArray[np.bool_],
    *,
    max_error: float,
    failure: float,
) -> int | None:
    """Estimate how many more check images make `find_threshold` succeed.

    The estimate takes the most confident half of the images and the error rate measured there.

    Returns
    -------
    int or None
        None if more images do not help: even the most confident predictions are wrong too often.
    """
    _check_shares(max_error, failure)
    everything = np.concatenate([confidence, checked_confidence])
    if not len(everything):
        return None
    threshold = np.quantile(everything, 0.5)
    images = int((everything >= threshold).sum())
    above = checked_confidence >= threshold
    rate = float(checked_wrong[above].mean()) if above.any() else 0.0
    if rate >= max_error:
        return None
    for checked in range(int(above.sum()), images + 1):
        if _rejects(images, checked, math.ceil(rate * checked), max_error, failure):
            share = images / len(everything)
            needed = math.ceil(RESERVE * checked / share) - len(checked_confidence)
            return min(max(1, needed), len(confidence))
    return None


def _thresholds(
    everything: NDArray[np.float32], checked: int, max_error: float, failure: float
) -> NDArray[np.float32]:
    """Return the thresholds to test, strictest first.

    They depend on the confidences of all images and on the number of check images, but on no label.
    """
    if not len(everything) or not checked:
        return np.zeros(0, dtype=np.float32)
    first = _first_share(fewest_checked(max_error, failure), checked)
    shares = np.linspace(first, 1.0, STEPS)
    ranks = np.clip(np.ceil(shares * len(everything)).astype(int), 1, len(everything))
    ordered = np.sort(everything)[::-1]
    thresholds: NDArray[np.float32] = np.unique(ordered[ranks - 1])[::-1]
    return thresholds


def _first_share(needed: int, checked: int) -> float:
    """Return the share of all images that are above the strictest threshold to test.

    At least `needed` of the `checked` images must be above it, too. If the share is s, their number
    has the mean checked·s and the variance checked·s·(1 − s) over the draws. At the returned share,
    the mean is one standard deviation above `needed`; this is the upper limit of Wilson's interval
    for z = 1. It is 1 if `needed` is `checked` or more.
    """
    if needed >= checked:
        return 1.0
    middle = needed + 0.5
    return (middle + math.sqrt(needed * (1 - needed / checked) + 0.25)) / (checked + 1)


def _rejects(images: int, checked: int, wrong: int, max_error: float, failure: float) -> bool:
    """Return whether the check images reject an error rate above `max_error` among `images`."""
    from scipy import stats

    errors = math.floor(max_error * images) + 1  # the fewest that are too many
    if errors > images - (checked - wrong):
        return True  # more errors than images that could be wrong
    return bool(stats.hypergeom.cdf(wrong, images, errors, checked) <= failure)


def _check_shares(max_error: float, failure: float) -> None:
    for name, value in (("error rate", max_error), ("confidence", 1 - failure)):
        if not 0 < value < 1:
            raise InputError(f"Enter the {name} as a percentage above 0% and below 100%.")
