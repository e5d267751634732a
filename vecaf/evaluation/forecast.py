"""Forecast how much accuracy more labels gain, from a learning curve with uncertainty.

The error with n labels is modeled as a power law with a floor,

    error(n) = E · (1 − r + r · ((n + s) / (m + s))^−c),

where m is the number of labels so far, E the error with them, r the share of it that more labels
can remove, c the exponent, and s the number of labels that a start from class names is worth. r, c
and s are drawn from a prior, which was chosen on PACS and CIFAR-10. Each curve is weighted by how
well it explains two kinds of points: cross-validated ones, from parts of the labeled images, and
the test accuracies so far, which begin with the one of the class names.

The noise of a difference of two test accuracies follows from the images that only one of the two
models gets right. Their number is estimated from the rounds so far: it is a share of the errors
that grows with the logarithm of the ratio of labels. All functions are pure, and equal inputs give
equal forecasts.

References
----------
Mahmood et al., "How much more data do I need? Estimating requirements for downstream tasks",
CVPR 2022 (power laws as learning curves).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats64 = NDArray[np.float64]

HORIZONS = (50, 100, 200)  # labels
COVERAGE = 0.8  # of the intervals
DRAWS = 4000
MISFIT = 0.05  # standard error of a point beyond sampling, as a share of the error
REMOVABLE = (4, 1)  # prior of r, a beta distribution: most errors can be removed
EXPONENT = (0.1, 1.5)  # range of the prior of c, uniform on a logarithmic scale
START_LABELS = (1, 300)  # range of the prior of s, likewise
DISCORDANT = 0.15  # prior share of the errors of two models that only one of them makes
DISCORDANT_WEIGHT = 20  # errors that this prior counts as
FARTHEST = 2.0  # logarithm of a ratio of labels beyond which this share does not grow
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
    changed
        Share of these images that only one of the models of two consecutive rounds gets right, for
        each pair of rounds. Empty if unknown.
    start
        Accuracy of the classifier from class names that the head starts from; None if it starts
        from zero.
    """

    labels: tuple[int, ...]
    accuracy: tuple[float, ...]
    tests: int
    changed: tuple[float, ...] = ()
    start: float | None = None

    @property
    def errors(self) -> tuple[float, ...]:
        """The error after each round, at least half an image."""
        return tuple(max(1 - one, 0.5 / self.tests) for one in self.accuracy)


@dataclass(frozen=True)
class LearningCurve:
    """Draws of learning curves; see the module for their formula.

    Attributes
    ----------
    labels, accuracy
        Number of labels so far, and the measured accuracy with them.
    error, removable, exponent, start_labels
        E, r, c and s of each draw, (DRAWS,).
    tests
        Number of images in the test sample.
    discordant
        Share of the errors of two models that only one of them makes, for equal numbers of labels.
    """

    labels: int
    accuracy: float
    error: Floats64
    removable: Floats64
    exponent: Floats64
    start_labels: Floats64
    tests: int
    discordant: float

    @classmethod
    def fit(cls, points: CurvePoints, measured: Measured) -> LearningCurve:
        """Fit curves to cross-validated points and to the accuracies of the rounds so far."""
        rng = np.random.default_rng(0)
        labels, tests, now = measured.labels[-1], measured.tests, measured.accuracy[-1]
        start = np.zeros(DRAWS) if measured.start is None else _log_uniform(rng, *START_LABELS)
        prior = cls(
            labels=labels,
            accuracy=now,
            error=rng.beta((1 - now) * tests + 1, now * tests + 1, DRAWS),
            removable=rng.beta(*REMOVABLE, DRAWS),
            exponent=_log_uniform(rng, *EXPONENT),
            start_labels=start,
            tests=tests,
            discordant=_discordant(measured),
        )
        fit = prior._cross_validated_fit(points) + prior._measured_fit(measured)
        weights = np.exp(fit - fit.max())
        kept = rng.choice(DRAWS, DRAWS, p=weights / weights.sum())
        return replace(
            prior,
            removable=prior.removable[kept],
            exponent=prior.exponent[kept],
            start_labels=start[kept],
        )

    @classmethod
    def stored(cls, forecast: dict[str, Any]) -> LearningCurve:
        """Fit the curve of a stored forecast again, for other questions than its gains."""
        points, measured = (_tuples(forecast[name]) for name in ("points", "measured"))
        return cls.fit(CurvePoints(**points), Measured(**measured))

    def gain(self, more: int) -> Estimate:
        """Forecast the change of the measured test accuracy after `more` labels.

        The interval covers the uncertainty of the curve and of both measurements on the test
        sample.
        """
        expected = self.error * (1 - self._share(self.labels + more))
        share = self.discordant * _growth(self.labels, self.labels + more)
        changed = np.maximum(share * (2 * self.error - expected), expected)
        noise = np.random.default_rng(1).standard_normal(DRAWS)
        gain = expected + noise * _measuring_error(changed, self.tests, expected)
        return _estimate(gain.clip(-self.accuracy, 1 - self.accuracy))

    def labels_for(self, accuracy: float) -> Estimate:
        """Estimate how many more labels an accuracy (0 to 1) needs; infinite if out of reach."""
        with np.errstate(divide="ignore", invalid="ignore"):
            wanted = (1 - accuracy) / self.error
            rest = wanted - (1 - self.removable)
            factor = np.where(rest > 0, (self.removable / rest) ** (1 / self.exponent), np.inf)
        more = (self.labels + self.start_labels) * np.maximum(factor - 1, 0)
        return _estimate(np.where(more > MOST_LABELS, np.inf, more))

    def _share(self, n: int) -> Floats64:
        """Return error(n) / E of each draw."""
        ratio = (n + self.start_labels) / (self.labels + self.start_labels)
        return np.asarray(1 - self.removable + self.removable * ratio**-self.exponent)

    def _cross_validated_fit(self, points: CurvePoints) -> Floats64:
        """Return the log-likelihood of each draw. The level of the points is free: E is fitted."""
        if len(points.sizes) < 2:
            return np.zeros(DRAWS)
        wrong = 1 - np.array(points.accuracy)[:, None]
        noise = np.maximum(np.array(points.error), MISFIT * wrong[:, 0])[:, None] + 0.005
        shares = np.stack([self._share(size) for size in points.sizes])
        level = (shares * wrong / noise**2).sum(axis=0) / (shares**2 / noise**2).sum(axis=0)
        fit: Floats64 = -0.5 * (((wrong - level * shares) / noise) ** 2).sum(axis=0)
        return fit

    def _measured_fit(self, measured: Measured) -> Floats64:
        """Return the log-likelihood of each draw from the change of accuracy since each round."""
        fit = np.zeros(DRAWS)
        *errors, now = measured.errors
        earlier = list(zip(measured.labels[:-1], errors, strict=True))
        if measured.start is not None:
            earlier.append((0, 1 - measured.start))
        for n, error in earlier:
            changed = self.discordant * _growth(n, self.labels) * (error + now)
            noise = _measuring_error(changed, self.tests) + MISFIT * now
            fit -= 0.5 * ((error - now * self._share(n)) / noise) ** 2
        return fit


def _tuples(stored: dict[str, Any]) -> dict[str, Any]:
    """Turn the lists of JSON into tuples."""
    return {name: tuple(one) if isinstance(one, list) else one for name, one in stored.items()}


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> Floats64:
    return np.exp(rng.uniform(np.log(low), np.log(high), DRAWS))


def _growth(before: int, after: int) -> float:
    """Return the factor of the discordant share between models with these numbers of labels."""
    return 1 + (min(abs(np.log(after / before)), FARTHEST) if before else FARTHEST)


def _discordant(measured: Measured) -> float:
    """Estimate the discordant share of a run: that of its rounds, combined with the prior."""
    changed, errors = DISCORDANT * DISCORDANT_WEIGHT, float(DISCORDANT_WEIGHT)
    sizes = zip(pairwise(measured.labels), pairwise(measured.errors), strict=True)
    for share, (labels, error) in zip(measured.changed, sizes, strict=False):  # may be unknown
        changed += share * measured.tests
        errors += sum(error) * measured.tests * _growth(*labels)
    return changed / errors


def _measuring_error(
    changed: float | Floats64, tests: int, expected: float | Floats64 = 0.0
) -> Floats64:
    """Return the standard error of a difference of two accuracies on the same test sample.

    `changed`: share of the images that only one of the two models gets right; `expected`: the mean
    of the difference.
    """
    return np.asarray(np.sqrt((changed - np.square(expected) + 0.5 / tests) / tests))


def _estimate(draws: Sequence[float] | Floats64) -> Estimate:
    tail = (1 - COVERAGE) / 2
    low, middle, high = np.quantile(draws, [tail, 0.5, 1 - tail], method="nearest")
    return Estimate(float(low), float(middle), float(high))
