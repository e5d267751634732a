"""Lines of accuracy by cost, for the plots of a benchmark report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vecaf.benchmarking.cells import FULL
from vecaf.benchmarking.summary import CellGroup, accuracy_at, budgets_of, measured_on
from vecaf.evaluation.comparison import Interval, LearningCurve, accuracy_interval, mean_curve


@dataclass(frozen=True)
class Series:
    """A line of a plot: the cost and the accuracy at each point."""

    name: str
    spent: tuple[float, ...]
    accuracy: tuple[Interval, ...]


def series(groups: Sequence[CellGroup], by: str) -> list[Series]:
    """Create the lines of a plot of accuracy by cost, for one dataset.

    With one round, a line connects a strategy's budgets. With more rounds, each budget has a line
    that connects its rounds. If accuracy was measured during training, lines by batches show all
    measured points.

    Parameters
    ----------
    groups
    by
        "labels" or "batches".
    """
    during_training = by == "batches" and any(group.strategy == FULL for group in groups)
    split = measured_on(groups)
    rounds = max((len(one.rounds) for group in groups for one in group.results), default=1)
    if not during_training and rounds == 1:
        return [_through_budgets(groups, name, by) for name in _strategies(groups)]
    made = []
    for group in groups:
        lines = [
            one.while_training(split) if during_training else one.by_round()
            for one in group.results
        ]
        single_budget = group.strategy == FULL or len(budgets_of(groups, group.strategy)) == 1
        name = group.strategy if single_budget else f"{group.strategy}, {group.budget}"
        spent, accuracy = _mean_by_batches(lines) if during_training else mean_curve(lines, by)
        made.append(Series(name, tuple(spent), tuple(accuracy)))
    return made


def _mean_by_batches(lines: Sequence[LearningCurve]) -> tuple[list[float], list[Interval]]:
    """Average curves by batches, up to the end of the shortest (some runs stop early)."""
    measured = [line for line in lines if line.batches]
    end = min((line.batches[-1] for line in measured), default=0)
    places = sorted({batch for line in measured for batch in line.batches if batch <= end})
    accuracy = [
        accuracy_interval([accuracy_at(line, place) for line in measured]) for place in places
    ]
    return [float(place) for place in places], accuracy


def _through_budgets(groups: Sequence[CellGroup], strategy: str, by: str) -> Series:
    own = [group for group in groups if group.strategy == strategy]
    found = [
        (float(group.labeled) if by == "labels" else group.batches(),
         accuracy_interval(list(group.final().values())))
        for group in own
    ]  # fmt: skip
    found.sort(key=lambda point: point[0])
    return Series(strategy, tuple(x for x, _ in found), tuple(y for _, y in found))


def _strategies(groups: Sequence[CellGroup]) -> list[str]:
    return list(dict.fromkeys(group.strategy for group in groups))
