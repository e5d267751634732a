"""The card of a run's page that says what more labels would gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vecaf.evaluation.forecast import HORIZONS, Estimate, LearningCurve
from vecaf.evaluation.forecast_outcomes import (
    Outcome,
    Point,
    count_covered,
    measured_gain,
    measurements_around,
)
from vecaf.store.records import RoundResult

from ..shell.templates import macros

TARGETS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
SHOWN_TARGETS = 4
FAR = 100_000  # labels; more are not shown as a number


@dataclass(frozen=True)
class Target:
    """A test accuracy (0 to 1), and the additional labels that it needs."""

    accuracy: float
    labels: str
    interval: str


@dataclass(frozen=True)
class Card:
    """What the card shows; `covered`, `measured`: how many outcomes lie in their intervals."""

    labeled: int
    accuracy: float
    gains: Sequence[Outcome]
    targets: Sequence[Target]
    earlier: Sequence[Outcome]
    covered: int
    measured: int
    least: int = HORIZONS[0]  # additional labels of the shortest forecast


def forecast(rounds: Sequence[RoundResult], later: Sequence[tuple[int, float]] = ()) -> str:
    """Return the card, or "" without a forecast.

    `later`: labels and test accuracy of later runs with the same settings, ascending by labels.
    """
    outcomes = [_outcomes(one, rounds, later) for one in rounds]
    newest = next((one for one in reversed(rounds) if one.forecast), None)
    if newest is None or newest.test_accuracy is None:
        return ""
    gains = _outcomes(newest, rounds, later)
    every = [one for some in outcomes for one in some]
    earlier = [one for one in every if one.measured is not None and one not in gains]
    card = Card(
        newest.labeled, newest.test_accuracy, gains, _targets(newest), earlier,
        *count_covered(every),
    )  # fmt: skip
    return str(macros("runs", "forecast.html").forecast(card))


def _outcomes(
    result: RoundResult, rounds: Sequence[RoundResult], later: Sequence[tuple[int, float]]
) -> list[Outcome]:
    """Return the forecasts of one round, with what came."""
    if not result.forecast or result.test_accuracy is None:
        return []
    own = [(one.labeled, one.test_accuracy) for one in rounds if one.test_accuracy is not None]
    last = max(own)[0]
    points = sorted([*own, *(point for point in later if point[0] > last)])
    now = (result.labeled, result.test_accuracy)
    return [
        Outcome(
            result.labeled, int(more), Estimate(**gain), measured_gain(now, int(more), points),
            _between(now, int(more), points),
        )
        for more, gain in result.forecast["gains"].items()
    ]  # fmt: skip


def _between(now: Point, more: int, points: Sequence[Point]) -> tuple[int, int] | None:
    """Return the labels of the measurements to interpolate between; None if one is exact."""
    found = measurements_around(now, more, points)
    if found is None or found[1][0] == now[0] + more:
        return None
    return found[0][0], found[1][0]


def _targets(result: RoundResult) -> list[Target]:
    curve = LearningCurve.stored(result.forecast)
    wanted = [one for one in TARGETS if one > (result.test_accuracy or 0) + 0.005]
    return [_target(one, curve.labels_for(one)) for one in wanted[:SHOWN_TARGETS]]


def _target(accuracy: float, needed: Estimate) -> Target:
    if needed.middle > FAR:
        least = f"more than {_count(needed.low)}" if needed.low <= FAR else ""
        return Target(accuracy, "Out of reach, according to the forecast", least)
    high = "no upper limit" if needed.high > FAR else _count(needed.high)
    return Target(accuracy, f"About {_count(needed.middle)}", f"{_count(needed.low)} to {high}")


def _count(labels: float) -> str:
    """Round a number of labels to two digits."""
    if labels < 1:
        return "0"
    step = 10 ** max(0, math.floor(math.log10(labels)) - 1)
    return f"{round(labels / step) * step:,}"
