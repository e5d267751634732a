"""What a benchmark's results say: means with intervals, paired differences, batches to a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vecaf.benchmarking.cells import FULL
from vecaf.benchmarking.results import TEST, VALIDATION, Result
from vecaf.evaluation.comparison import (
    Difference,
    Interval,
    LearningCurve,
    cost_to_reach,
    interval,
    mean_curve,
    paired_over_seeds,
)

SHARE = 0.99  # of full finetuning's final accuracy: the target that batches are counted to
MEAN = "mean"  # over the budgets, seed by seed
Values = Mapping[int, float]  # seed → accuracy, 0 to 1


@dataclass(frozen=True)
class Group:
    """One strategy at one budget: results that differ by their seed."""

    dataset: str
    strategy: str
    budget: str
    results: tuple[Result, ...]

    @property
    def labeled(self) -> int:
        return self.results[0].labeled

    def final(self) -> Values:
        """Test accuracy after the last round."""
        return {one.seed: one.accuracy for one in self.results}

    def batches(self) -> float:
        """Optimizer steps in all, mean over the seeds."""
        return sum(one.batches for one in self.results) / len(self.results)


@dataclass(frozen=True)
class Row:
    """A strategy's accuracy at one place (a budget, or a number of batches) and by how much it
    differs from the others, by name, paired by seed; None for less than two seeds."""

    dataset: str
    strategy: str
    place: str
    accuracy: Interval
    differences: Mapping[str, Difference | None]


@dataclass(frozen=True)
class Cost:
    """What a strategy at a budget took to reach the target, by seed; None where it never did.

    `saving`: full finetuning's batches over its, per seed; None unless every seed of both reached
    the target. `split`: what accuracies were read from, TEST where it was measured amid training.
    """

    group: Group
    split: str
    costs: tuple[float | None, ...]
    saving: Interval | None


def grouped(results: Sequence[Result]) -> list[Group]:
    """The results by dataset, strategy and budget, in the order they come in."""
    found: dict[tuple[str, str, str], list[Result]] = {}
    for one in results:
        found.setdefault((one.dataset, one.strategy, one.budget), []).append(one)
    return [Group(*key, tuple(members)) for key, members in found.items()]


def by_budget(groups: Sequence[Group], against: Sequence[str]) -> list[Row]:
    """Final test accuracy at every budget, and, for more than one budget, their mean by seed.

    `groups` are one dataset's. A budget is compared with the same budget of `against`.
    """
    values = {(group.strategy, group.budget): group.final() for group in groups}
    budgets = {group.strategy: _budgets(groups, group.strategy) for group in groups}
    for strategy, sizes in budgets.items():
        if len(sizes) > 1:
            values[strategy, MEAN] = _mean([values[strategy, size] for size in sizes])
    return _rows(groups[0].dataset, values, against) if groups else []


def at_batches(groups: Sequence[Group], against: Sequence[str], budget: str) -> list[Row]:
    """Accuracy after equal numbers of batches, amid training, of the groups with this budget.

    Places are 1, 2 and 5 times powers of ten that every run has reached, full finetuning aside,
    which is shown where it was measured; between two points it is read from a straight line.
    """
    chosen = [group for group in groups if group.budget == budget or group.strategy == FULL]
    split = measured_on(chosen)
    lines = {
        group.strategy: {one.seed: one.while_training(split) for one in group.results}
        for group in chosen
    }
    every = [line for name, own in lines.items() for line in own.values() if name != FULL]
    if not every or not all(line.batches for line in every):
        return []
    first = max(line.batches[0] for line in every)
    last = min(line.batches[-1] for line in every)
    values = {
        (strategy, str(place)): {seed: _read(line, place) for seed, line in own.items()}
        for strategy, own in lines.items()
        for place in round_numbers(first, last)
        if all(line.batches and line.batches[0] <= place <= line.batches[-1]
               for line in own.values())
    }  # fmt: skip
    return _rows(chosen[0].dataset, values, against)


def costs(groups: Sequence[Group]) -> list[Cost]:
    """Batches to SHARE of full finetuning's final accuracy, seed by seed; empty without FULL.

    The target and the way to it are read on the same split.
    """
    full = next((group for group in groups if group.strategy == FULL), None)
    if full is None:
        return []
    split = measured_on(groups)
    targets = {one.seed: SHARE * _end(one, split) for one in full.results}
    reference = {one.seed: _cost(one, split, targets) for one in full.results}
    found = []
    for group in groups:
        own = {one.seed: _cost(one, split, targets) for one in group.results}
        found.append(Cost(group, split, tuple(own.values()), _saving(reference, own)))
    return found


def measured_on(groups: Sequence[Group]) -> str:
    """TEST where every run measured it while it trained, else VALIDATION."""
    results = [one for group in groups for one in group.results]
    looked = all(all(point.test_accuracy is not None for point in one.curve) for one in results)
    return TEST if looked else VALIDATION


def not_better(rows: Sequence[Row], against: str, where: Callable[[str], str]) -> list[str]:
    """A sentence for every strategy and place where it does not beat `against` beyond chance."""
    said = []
    for row in rows:
        found = row.differences.get(against)
        if row.strategy in (against, FULL) or against not in row.differences:
            continue
        if found is None:
            sentence = f"Whether anything beats {against} can't be said from one seed; take five."
            said += [sentence] if sentence not in said else []
        elif found.significant and found.high < 0:
            said.append(
                f"{row.strategy} is worse than {against} {where(row.place)}: {points(found)}."
            )
        elif not (found.significant and found.low > 0):
            how = "clearly " if found.mean > 0 else ""
            said.append(
                f"{row.strategy} does not {how}beat {against} {where(row.place)}: {points(found)}."
            )
    return said


def points(found: Difference) -> str:
    """A difference in percentage points: '+0.3 (−0.4 to +1.0)'."""
    return f"{signed(found.mean)} ({signed(found.low)} to {signed(found.high)})"


def signed(share: float) -> str:
    """0.0031 → '+0.3', in percentage points, with a true minus sign."""
    return f"{100 * share:+.1f}".replace("-", "−")


@dataclass(frozen=True)
class Series:
    """A line of a plot: what was spent, and the accuracy with its interval, point by point."""

    name: str
    spent: tuple[float, ...]
    accuracy: tuple[Interval, ...]


def series(groups: Sequence[Group], by: str) -> list[Series]:
    """One dataset's lines of accuracy against what was spent, by "labels" or "batches".

    With one round, a strategy's line goes through its budgets; with more, each budget is a line
    through its rounds. Against batches, runs that looked while they trained show all points.
    """
    amid = by == "batches" and any(group.strategy == FULL for group in groups)
    split = measured_on(groups)
    rounds = max((len(one.rounds) for group in groups for one in group.results), default=1)
    if not amid and rounds == 1:
        return [_through_budgets(groups, name, by) for name in _strategies(groups)]
    made = []
    for group in groups:
        lines = [one.while_training(split) if amid else one.by_round() for one in group.results]
        alone = group.strategy == FULL or len(_budgets(groups, group.strategy)) == 1
        name = group.strategy if alone else f"{group.strategy}, {group.budget}"
        spent, accuracy = _alongside(lines) if amid else mean_curve(lines, by)
        made.append(Series(name, tuple(spent), tuple(accuracy)))
    return made


def _alongside(lines: Sequence[LearningCurve]) -> tuple[list[float], list[Interval]]:
    """Lines amid training as one, by batches, as far as all go: with patience some stop early."""
    measured = [line for line in lines if line.batches]
    end = min((line.batches[-1] for line in measured), default=0)
    places = sorted({batch for line in measured for batch in line.batches if batch <= end})
    accuracy = [interval([_read(line, place) for line in measured]) for place in places]
    return [float(place) for place in places], accuracy


def _through_budgets(groups: Sequence[Group], strategy: str, by: str) -> Series:
    own = [group for group in groups if group.strategy == strategy]
    found = [
        (float(group.labeled) if by == "labels" else group.batches(),
         interval(list(group.final().values())))
        for group in own
    ]  # fmt: skip
    found.sort(key=lambda point: point[0])
    return Series(strategy, tuple(x for x, _ in found), tuple(y for _, y in found))


def _rows(
    dataset: str, values: Mapping[tuple[str, str], Values], against: Sequence[str]
) -> list[Row]:
    made = []
    for (strategy, place), own in values.items():
        differences = {
            other: paired_over_seeds(own, values[other, place])
            for other in against
            if other != strategy and (other, place) in values
        }
        accuracy = interval(list(own.values()))
        made.append(Row(dataset, strategy, place, accuracy, differences))
    return made


def _mean(values: Sequence[Values]) -> Values:
    """The mean by seed, over the seeds that all have."""
    seeds = sorted(set[int].intersection(*(set(one) for one in values)))
    return {seed: sum(one[seed] for one in values) / len(values) for seed in seeds}


def _strategies(groups: Sequence[Group]) -> list[str]:
    return list(dict.fromkeys(group.strategy for group in groups))


def _budgets(groups: Sequence[Group], strategy: str) -> list[str]:
    return [group.budget for group in groups if group.strategy == strategy]


def _end(result: Result, split: str) -> float:
    line = result.while_training(split)
    return line.accuracy[-1] if line.accuracy else 0.0


def _cost(result: Result, split: str, targets: Mapping[int, float]) -> float | None:
    line = result.while_training(split)
    if result.seed not in targets or not line.accuracy:
        return None
    return cost_to_reach(targets[result.seed], line.batches, line.accuracy)


def _saving(
    reference: Mapping[int, float | None], own: Mapping[int, float | None]
) -> Interval | None:
    ratios = []
    for seed, cost in own.items():
        full = reference.get(seed)
        if not cost or full is None:
            return None
        ratios.append(full / cost)
    return interval(ratios)


def _read(line: LearningCurve, place: int) -> float:
    """The accuracy after `place` batches, on a straight line between two measured points."""
    for before, after in zip(range(len(line.batches)), range(1, len(line.batches)), strict=False):
        low, high = line.batches[before], line.batches[after]
        if low <= place <= high:
            part = (place - low) / (high - low)
            return line.accuracy[before] + part * (line.accuracy[after] - line.accuracy[before])
    return line.accuracy[0]


def round_numbers(first: float, last: float) -> list[int]:
    """1, 2, 5, 10, 20, 50, … from `first` to `last`."""
    numbers = [base * 10**power for power in range(9) for base in (1, 2, 5)]
    return [number for number in numbers if first <= number <= last]
