"""Forecast how much accuracy more labels gain, from a learning curve with uncertainty.

The error with n labels is modeled as a power law with a floor,

    error(n) = E · (1 − r + r · (n / m)^−c),

where m is the number of labels so far, E the error with them, r the share of it that more labels
can remove, and c the exponent. r and c are drawn from a prior, which was calibrated on PACS and
CIFAR-10 with random selection. Each curve is weighted by how well it explains two kinds of points:
cross-validated ones, from parts of the labeled images, and the test accuracies of earlier rounds.
All functions are pure, and equal inputs give equal forecasts.

References
----------
Mahmood et al., "How much more data do I need? Estimating requirements for downstream tasks",
CVPR 2022 (power laws as learning curves).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats64 = NDArray[np.float64]

HORIZONS = (50, 100, 200)  # labels
COVERAGE = 0.8  # of the intervals
DRAWS = 4000
MISFIT = 0.05  # standard error of a point beyond sampling, as a share of the error
REMOVABLE = (4, 1)  # prior of r, a beta distribution: most errors can be removed
EXPONENT = (0.2, 0.8)  # range of the prior of c, uniform on a logarithmic scale
DISCORDANT = 0.5  # share of the errors that a later model has on other test images
MOST_LABELS = 10**7


@dataclass(frozen=True)
class CurvePoints:
    """Accuracies of a model that was trained on parts of the labeled images.

    Attributes
    ----------
    sizes
        Number of labels, ascending, (k,).
    accuracy
        Cross-validated accuracy with that many labels, (k,).
    error
        Standard error of each accuracy, apart from an error that all of them share, (k,).
    """

    sizes: tuple[int, ...]
    accuracy: tuple[float, ...]
    error: tuple[float, ...]


@dataclass(frozen=True)
class Estimate:
    """A median and an 80% interval."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Measured:
    """Test accuracies of the rounds so far, first to last.

    Attributes
    ----------
    labels
        Number of labels after each round.
    accuracy
        Accuracy on the test sample.
    tests
        Number of images in the test sample.
    """

    labels: tuple[int, ...]
    accuracy: tuple[float, ...]
    tests: int


@dataclass(frozen=True)
class LearningCurve:
    """Draws of learning curves; see the module for their formula.

    Attributes
    ----------
    labels, accuracy
        Number of labels so far, and the measured accuracy with them.
    error, removable, exponent
        E, r and c of each draw, (DRAWS,).
    tests
        Number of images in the test sample.
    """

    labels: int
    accuracy: float
    error: Floats64
    removable: Floats64
    exponent: Floats64
    tests: int

    @classmethod
    def fit(cls, points: CurvePoints, measured: Measured) -> LearningCurve:
        """Fit curves to cross-validated points and to the accuracies of the rounds so far."""
        rng = np.random.default_rng(0)
        labels, right = measured.labels[-1], measured.accuracy[-1] * measured.tests
        error = rng.beta(measured.tests - right + 1, right + 1, DRAWS)
        removable = rng.beta(*REMOVABLE, DRAWS)
        low, high = np.log(EXPONENT)
        exponent = np.exp(rng.uniform(low, high, DRAWS))
        fit = _cross_validated_fit(points, labels, removable, exponent)
        fit += _measured_fit(measured, removable, exponent)
        weights = np.exp(fit - fit.max())
        kept = rng.choice(DRAWS, DRAWS, p=weights / weights.sum())
        now = measured.accuracy[-1]
        return cls(labels, now, error, removable[kept], exponent[kept], measured.tests)

    def gain(self, more: int) -> Estimate:
        """Forecast the change of the measured test accuracy after `more` labels.

        The interval covers the uncertainty of the curve and of both measurements on the test
        sample.
        """
        share = _share(self.labels + more, self.labels, self.removable, self.exponent)
        expected = self.error * (1 - share)
        noise = np.random.default_rng(1).standard_normal(DRAWS)
        gain = expected + noise * _measuring_error(self.error, self.tests)
        return _estimate(gain.clip(-self.accuracy, 1 - self.accuracy))

    def labels_for(self, accuracy: float) -> Estimate:
        """Estimate how many more labels an accuracy (0 to 1) needs; infinite if out of reach."""
        with np.errstate(divide="ignore", invalid="ignore"):
            wanted = (1 - accuracy) / self.error
            rest = wanted - (1 - self.removable)
            factor = np.where(rest > 0, (self.removable / rest) ** (1 / self.exponent), np.inf)
        more = self.labels * np.maximum(factor - 1, 0)
        return _estimate(np.where(more > MOST_LABELS, np.inf, more))


def _share(
    n: int | NDArray[np.float64], m: int, removable: Floats64, exponent: Floats64
) -> Floats64:
    """Return error(n) / E of each draw."""
    return np.asarray(1 - removable + removable * (n / m) ** -exponent)


def _cross_validated_fit(
    points: CurvePoints, labels: int, removable: Floats64, exponent: Floats64
) -> Floats64:
    """Return the log-likelihood of each draw. The level of the points is free: E is fitted."""
    if len(points.sizes) < 2:
        return np.zeros(len(removable))
    wrong = 1 - np.array(points.accuracy)[:, None]
    noise = np.maximum(np.array(points.error), MISFIT * wrong[:, 0])[:, None] + 0.005
    shares = np.stack([_share(size, labels, removable, exponent) for size in points.sizes])
    level = (shares * wrong / noise**2).sum(axis=0) / (shares**2 / noise**2).sum(axis=0)
    fit: Floats64 = -0.5 * (((wrong - level * shares) / noise) ** 2).sum(axis=0)
    return fit


def _measured_fit(measured: Measured, removable: Floats64, exponent: Floats64) -> Floats64:
    """Return the log-likelihood of each draw from the change of accuracy since each round."""
    fit = np.zeros(len(removable))
    labels, error = measured.labels[-1], max(1 - measured.accuracy[-1], 0.5 / measured.tests)
    for n, accuracy in zip(measured.labels[:-1], measured.accuracy[:-1], strict=True):
        expected = error * _share(n, labels, removable, exponent)
        noise = _measuring_error(np.array([1 - accuracy]), measured.tests) + MISFIT * error
        fit -= 0.5 * ((1 - accuracy - expected) / noise) ** 2
    return fit


def _measuring_error(error: Floats64, tests: int) -> Floats64:
    """Return the standard error of a difference of two accuracies on the same test sample."""
    return np.sqrt((2 * DISCORDANT * error + 0.5 / tests) / tests)


def _estimate(draws: Sequence[float] | Floats64) -> Estimate:
    tail = (1 - COVERAGE) / 2
    low, middle, high = np.quantile(draws, [tail, 0.5, 1 - tail], method="nearest")
    return Estimate(float(low), float(middle), float(high))
