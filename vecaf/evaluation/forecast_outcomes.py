"""Compare forecasts with what came: the measured gain, and how many intervals contain it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from vecaf.evaluation.forecast import Estimate

WIDEST = 1.5  # distance of the two measurements to interpolate between, in units of the horizon

Point = tuple[int, float]  # number of labels, test accuracy


@dataclass(frozen=True)
class Outcome:
    """A forecast and what was measured later.

    Attributes
    ----------
    labels
        Number of labels when the forecast was made.
    more
        Number of additional labels.
    gain
        Forecast change of the test accuracy.
    measured
        Measured change; None until there are so many labels.
    between
        Numbers of labels of the two measurements that `measured` is interpolated between; None if
        it is not interpolated.
    """

    labels: int
    more: int
    gain: Estimate
    measured: float | None
    between: tuple[int, int] | None = None

    @property
    def covered(self) -> bool:
        """Whether the interval contains the measured change."""
        return self.measured is not None and self.gain.low <= self.measured <= self.gain.high


def measured_gain(now: Point, more: int, later: Sequence[Point]) -> float | None:
    """Return the change of accuracy `more` labels after `now`, interpolated between measurements.

    Parameters
    ----------
    now
        Labels and accuracy when the forecast was made.
    later
        Later measurements, ascending by labels.

    Returns
    -------
    float or None
        None if there is no measurement with so many labels, or if the measurements around that
        number are too far apart.
    """
    found = measurements_around(now, more, later)
    if found is None:
        return None
    before, after = found
    part = (now[0] + more - before[0]) / (after[0] - before[0])
    return before[1] + part * (after[1] - before[1]) - now[1]


def measurements_around(
    now: Point, more: int, later: Sequence[Point]
) -> tuple[Point, Point] | None:
    """Return the measurements before and after `more` labels; see `measured_gain`.

    The second one has exactly so many labels if there is such a measurement.
    """
    wanted = now[0] + more
    points = [now, *(point for point in later if point[0] > now[0])]
    for before, after in itertools.pairwise(points):
        if before[0] < wanted <= after[0]:
            return None if after[0] - before[0] > WIDEST * more else (before, after)
    return None


def count_covered(outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """Count the outcomes within their intervals, and all outcomes that are measured."""
    measured = [one for one in outcomes if one.measured is not None]
    return sum(one.covered for one in measured), len(measured)
