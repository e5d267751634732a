"""Statistics for comparing runs: confidence intervals, paired differences, cost to reach a target.

All functions are pure and take arrays or numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEEDS, IMAGES = "seeds", "images"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95% confidence interval.

    Attributes
    ----------
    mean
    low, high
        Ends of the interval. None if there is only one seed.
    n
        Number of seeds.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """The first accuracy minus the second, with its 95% confidence interval.

    Attributes
    ----------
    mean, low, high
        From −1 to 1.
    n
        Number of pairs.
    over
        What is paired: SEEDS (runs with equal seeds) or IMAGES (test images of one run each).
        A difference over images does not cover the variation between seeds.
    """

    mean: float
    low: float
    high: float
    n: int
    over: str

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0.

        An interval of zero width is never significant: with two seeds, equal differences give no
        estimate of the variance.
        """
        has_width = self.high - self.low > 1e-9
        return has_width and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class LearningCurve:
    """A run's accuracy after each round, with the cumulative cost. All fields have equal length.

    Attributes
    ----------
    labeled
        Labeled images so far.
    batches
        Optimizer steps so far.
    accuracy
        From 0 to 1.
    """

    labeled: tuple[int, ...]
    batches: tuple[int, ...]
    accuracy: tuple[float, ...]

    def cost(self, unit: str) -> tuple[int, ...]:
        """Return the cumulative cost after each round, in "labels" or "batches"."""
        return self.labeled if unit == "labels" else self.batches


def t_quantile(degrees_of_freedom: int) -> float:
    """Return the 97.5% quantile of Student's t distribution, for a two-sided 95% interval."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, (1 + CONFIDENCE) / 2))


def interval(values: Sequence[float]) -> Interval:
    """Compute the mean and its 95% t-interval.

    Parameters
    ----------
    values
        One value per seed.

    Raises
    ------
    ValueError
        If `values` is empty.
    """
    if not values:
        raise ValueError("An interval needs at least one value.")
    array = np.asarray(values, dtype=np.float64)
    mean, n = float(array.mean()), len(array)
    if n == 1:
        return Interval(mean, None, None, 1)
    half_width = t_quantile(n - 1) * float(array.std(ddof=1)) / n**0.5
    return Interval(mean, mean - half_width, mean + half_width, n)


def accuracy_interval(values: Sequence[float]) -> Interval:
    """Compute `interval` for accuracies: the ends of the interval stay between 0 and 1."""
    found = interval(values)
    if found.low is None or found.high is None:
        return found
    return Interval(found.mean, max(0.0, found.low), min(1.0, found.high), found.n)


def cost_to_reach(target: float, costs: Sequence[int], accuracy: Sequence[float]) -> float | None:
    """Return the cost at which the accuracy first reaches a target.

    The cost is interpolated linearly between rounds. If the first round already reaches the
    target, the result is the cost of that round, because smaller costs were not measured.

    Parameters
    ----------
    target
        Accuracy, from 0 to 1.
    costs, accuracy
        One entry per round, in order.

    Returns
    -------
    float or None
        None if the target was never reached.
    """
    previous: tuple[int, float] | None = None
    for cost, value in zip(costs, accuracy, strict=True):
        if value >= target:
            if previous is None:
                return float(cost)
            fraction = (target - previous[1]) / (value - previous[1])
            return previous[0] + (cost - previous[0]) * fraction
        previous = (cost, value)
    return None


def paired_over_seeds(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """Compute the mean difference between two groups of runs, paired by seed.

    Pairing removes the variation that a seed causes in both groups.

    Parameters
    ----------
    first, second
        Accuracy by seed. Seeds that only one of them has are ignored.

    Returns
    -------
    Difference or None
        None if fewer than two seeds are common.

    References
    ----------
    Dietterich, "Approximate Statistical Tests for Comparing Supervised Classification Learning
    Algorithms", Neural Computation 1998.
    """
    seeds = sorted(first.keys() & second.keys())
    if len(seeds) < 2:
        return None
    found = interval([first[seed] - second[seed] for seed in seeds])
    assert found.low is not None and found.high is not None
    return Difference(found.mean, found.low, found.high, len(seeds), SEEDS)


def paired_over_images(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Difference | None:
    """Compute the difference between two runs' accuracies on the same test images.

    The interval adds one image to each side of the Wald interval. Without this, a few images on
    which the runs happen to agree would give an interval of zero width.

    Parameters
    ----------
    first, second : array of shape (n,) or (s, n)
        Whether each image is classified correctly. Shape (s, n) holds s versions of each image,
        such as severities of a corruption; each image then contributes the mean of its versions.

    Returns
    -------
    Difference or None
        None if there are no images.

    References
    ----------
    Bonett and Price, "Adjusted Wald Confidence Interval for a Difference of Binomial Proportions
    Based on Paired Data", Journal of Educational and Behavioral Statistics 2012.
    """
    differences = np.atleast_2d(first.astype(np.float64) - second).mean(axis=0)
    n, total = len(differences), float(differences.sum())
    if not n:
        return None
    center = total / (n + 2)
    half_width = 1.96 * float(np.sqrt((differences**2).sum() + 2 - total * center)) / (n + 2)
    low, high = max(-1.0, center - half_width), min(1.0, center + half_width)
    return Difference(total / n, low, high, n, IMAGES)


def mean_curve(curves: Sequence[LearningCurve], unit: str) -> tuple[list[float], list[Interval]]:
    """Average the learning curves of several seeds, round by round.

    A round that only some seeds have finished is averaged over those seeds.

    Parameters
    ----------
    curves
        One curve per seed.
    unit
        The unit of cost: "labels" or "batches".

    Returns
    -------
    costs : list of float
        The mean cost after each round.
    accuracies : list of Interval
        The accuracy after each round.
    """
    costs, accuracies = [], []
    for index in range(max((len(curve.accuracy) for curve in curves), default=0)):
        finished = [curve for curve in curves if index < len(curve.accuracy)]
        costs.append(float(np.mean([curve.cost(unit)[index] for curve in finished])))
        accuracies.append(accuracy_interval([curve.accuracy[index] for curve in finished]))
    return costs, accuracies
