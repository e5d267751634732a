"""How runs compare: what a target costs, intervals over seeds, paired differences. Arrays in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Student's t at 97.5% for 1 to 30 degrees of freedom; beyond, the error of the formula is < 0.001.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
SEEDS, IMAGES = "seeds", "images"


@dataclass(frozen=True)
class Interval:
    """A mean over `n` seeds and its 95% interval, None at both ends for a single seed."""

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """The first's accuracy less the second's (−1 to 1), and its 95% interval.

    `over` says what would be drawn anew: SEEDS (`n` pairs of runs with equal seeds), or IMAGES
    (`n` test images; one run of each, so nothing is known about other draws of the picks).
    """

    mean: float
    low: float
    high: float
    n: int
    over: str

    @property
    def beyond_chance(self) -> bool:
        """Whether the interval leaves out 0. Two seeds with the same difference to the last digit
        have no spread to judge by: they say nothing of chance."""
        spread = self.high - self.low > 1e-9
        return spread and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Line:
    """One run's accuracies after each round, 0 to 1, and what they cost so far; equal lengths."""

    labeled: tuple[int, ...]
    batches: tuple[int, ...]
    accuracy: tuple[float, ...]

    def spent(self, by: str) -> tuple[int, ...]:
        """What was spent after each round, in "labels" or "batches"."""
        return self.labeled if by == "labels" else self.batches


def t_quantile(freedom: int) -> float:
    """Student's t that 97.5% lie below, for 1 or more degrees of freedom."""
    return _T[freedom - 1] if freedom <= len(_T) else 1.96 + 2.37 / freedom + 2.8 / freedom**2


def interval(values: Sequence[float]) -> Interval:
    """Mean of one value a seed with its 95% t-interval. Raises ValueError for no values."""
    if not values:
        raise ValueError("An interval needs at least one value.")
    array = np.asarray(values, dtype=np.float64)
    mean, n = float(array.mean()), len(array)
    if n == 1:
        return Interval(mean, None, None, 1)
    half = t_quantile(n - 1) * float(array.std(ddof=1)) / n**0.5
    return Interval(mean, mean - half, mean + half, n)


def cost_of(target: float, spent: Sequence[int], accuracy: Sequence[float]) -> float | None:
    """What it took to first reach the accuracy `target`: on a straight line between two rounds.

    None where it was never reached. A target that the first round passes costs what that round
    did: nothing is known about less.
    """
    before: tuple[int, float] | None = None
    for cost, value in zip(spent, accuracy, strict=True):
        if value >= target:
            if before is None:
                return float(cost)
            return before[0] + (cost - before[0]) * (target - before[1]) / (value - before[1])
        before = (cost, value)
    return None


def paired_over_seeds(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """The difference of accuracies by seed, over the seeds that both have; None for less than two.

    Pairing takes out what a seed does to both alike (Dietterich 1998 on paired t-tests).
    """
    seeds = sorted(first.keys() & second.keys())
    if len(seeds) < 2:
        return None
    found = interval([first[seed] - second[seed] for seed in seeds])
    assert found.low is not None and found.high is not None
    return Difference(found.mean, found.low, found.high, len(seeds), SEEDS)


def paired_over_images(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Difference | None:
    """The difference of two runs' accuracies on the same test images (n,), right or wrong each;
    (s, n) for s versions of each image, which are one image. None for no images.

    The interval is Bonett & Price's (2012): Wald's with one image more for each side, so that a
    handful of images that agree by luck does not look certain, as in a bootstrap. An image of s
    versions adds their mean.
    """
    each = np.atleast_2d(first.astype(np.float64) - second).mean(axis=0)
    n, total = len(each), float(each.sum())
    if not n:
        return None
    centre = total / (n + 2)
    half = 1.96 * float(np.sqrt((each**2).sum() + 2 - total * centre)) / (n + 2)
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    return Difference(total / n, low, high, n, IMAGES)


def band(lines: Sequence[Line], by: str) -> tuple[list[float], list[Interval]]:
    """Several seeds' lines as one: what was spent (mean over them) and the accuracy, by round.

    Rounds are matched by number; one that only some seeds have finished counts those.
    """
    spent, means = [], []
    for place in range(max((len(line.accuracy) for line in lines), default=0)):
        there = [line for line in lines if place < len(line.accuracy)]
        spent.append(float(np.mean([line.spent(by)[place] for line in there])))
        means.append(interval([line.accuracy[place] for line in there]))
    return spent, means
