"""Statistics of benchmark results: means, paired differences, and batches to a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vecaf.benchmarking.cells import FULL
from vecaf.benchmarking.results import TEST, VALIDATION, CellResult
from vecaf.evaluation.comparison import (
    Difference,
    Interval,
    LearningCurve,
    accuracy_interval,
    cost_to_reach,
    interval,
    paired_over_seeds,
)

TARGET_SHARE = 0.99  # the target accuracy as a fraction of full finetuning's final accuracy
MEAN = "mean"  # over the budgets, for each seed
Values = Mapping[int, float]  # seed → accuracy, 0 to 1


@dataclass(frozen=True)
class CellGroup:
    """The results of one strategy at one budget, one per seed."""

    dataset: str
    strategy: str
    budget: str
    results: tuple[CellResult, ...]

    @property
    def labeled(self) -> int:
        return self.results[0].labeled

    def final(self) -> Values:
        """Return the test accuracy after the last round by seed."""
        return {one.seed: one.accuracy for one in self.results}

    def batches(self) -> float:
        """Return the total number of optimizer steps, averaged over the seeds."""
        return sum(one.batches for one in self.results) / len(self.results)


@dataclass(frozen=True)
class AccuracyRow:
    """A strategy's accuracy at one budget or number of batches.

    Attributes
    ----------
    dataset, strategy
    place
        The budget or the number of batches, as text; MEAN for the mean over budgets.
    accuracy
    differences
        The difference from each strategy in `against`, paired by seed. None with fewer than two
        common seeds.
    """

    dataset: str
    strategy: str
    place: str
    accuracy: Interval
    differences: Mapping[str, Difference | None]


@dataclass(frozen=True)
class TargetCost:
    """The number of batches that a strategy needs to reach the target accuracy.

    Attributes
    ----------
    group
    split
        The split on which accuracy is measured during training: TEST or VALIDATION.
    costs
        Batches for each seed; None if the target was not reached.
    saving
        The batches of full finetuning divided by those of the strategy. None if a seed of either
        did not reach the target.
    """

    group: CellGroup
    split: str
    costs: tuple[float | None, ...]
    saving: Interval | None


def group_cells(results: Sequence[CellResult]) -> list[CellGroup]:
    """Group results by dataset, strategy and budget, in order of first appearance."""
    found: dict[tuple[str, str, str], list[CellResult]] = {}
    for one in results:
        found.setdefault((one.dataset, one.strategy, one.budget), []).append(one)
    return [CellGroup(*key, tuple(members)) for key, members in found.items()]


def by_budget(groups: Sequence[CellGroup], against: Sequence[str]) -> list[AccuracyRow]:
    """Compute the final test accuracy at each budget, and the mean over budgets.

    Parameters
    ----------
    groups
        The groups of one dataset.
    against
        Strategies to compare with, at the same budget.
    """
    values = {(group.strategy, group.budget): group.final() for group in groups}
    budgets = {group.strategy: budgets_of(groups, group.strategy) for group in groups}
    for strategy, sizes in budgets.items():
        if len(sizes) > 1:
            values[strategy, MEAN] = _mean([values[strategy, size] for size in sizes])
    return _rows(groups[0].dataset, values, against) if groups else []


def at_batches(
    groups: Sequence[CellGroup], against: Sequence[str], budget: str
) -> list[AccuracyRow]:
    """Compute the accuracy after equal numbers of batches, for the groups with this budget.

    The numbers of batches are 1, 2 and 5 times powers of ten that every run has reached. Full
    finetuning need not have reached them. Accuracy is interpolated linearly.
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
        (strategy, str(place)): {seed: accuracy_at(line, place) for seed, line in own.items()}
        for strategy, own in lines.items()
        for place in round_numbers(first, last)
        if all(line.batches and line.batches[0] <= place <= line.batches[-1]
               for line in own.values())
    }  # fmt: skip
    return _rows(chosen[0].dataset, values, against)


def costs(groups: Sequence[CellGroup]) -> list[TargetCost]:
    """Compute the batches that each group needs to reach the target accuracy.

    The target of a seed is TARGET_SHARE of full finetuning's final accuracy with that seed, on the
    same split. Without FULL, the result is empty.
    """
    full = next((group for group in groups if group.strategy == FULL), None)
    if full is None:
        return []
    split = measured_on(groups)
    targets = {one.seed: TARGET_SHARE * _end(one, split) for one in full.results}
    reference = {one.seed: _cost(one, split, targets) for one in full.results}
    found = []
    for group in groups:
        own = {one.seed: _cost(one, split, targets) for one in group.results}
        found.append(TargetCost(group, split, tuple(own.values()), _saving(reference, own)))
    return found


def measured_on(groups: Sequence[CellGroup]) -> str:
    """Return TEST if every run measured it during training, otherwise VALIDATION."""
    results = [one for group in groups for one in group.results]
    measured = all(all(point.test_accuracy is not None for point in one.curve) for one in results)
    return TEST if measured else VALIDATION


def not_better(rows: Sequence[AccuracyRow], against: str, where: Callable[[str], str]) -> list[str]:
    """Describe each case in which a strategy is not significantly better than `against`."""
    sentences = []
    for row in rows:
        found = row.differences.get(against)
        if row.strategy in (against, FULL) or against not in row.differences:
            continue
        if found is None:
            sentence = (
                f"One seed is not enough to compare strategies with {against}. Use five seeds."
            )
            sentences += [sentence] if sentence not in sentences else []
        elif found.significant and found.high < 0:
            sentences.append(
                f"{row.strategy} is worse than {against} {where(row.place)}: {points(found)}."
            )
        elif not (found.significant and found.low > 0):
            how = "significantly " if found.mean > 0 else ""
            sentences.append(
                f"{row.strategy} is not {how}better than {against} {where(row.place)}: "
                f"{points(found)}."
            )
    return sentences


def points(found: Difference) -> str:
    """Format a difference in percentage points, such as '+0.3 (−0.4 to +1.0)'."""
    return f"{signed(found.mean)} ({signed(found.low)} to {signed(found.high)})"


def signed(share: float) -> str:
    """Format 0.0031 as '+0.3' percentage points, with a typographic minus sign."""
    return f"{100 * share:+.1f}".replace("-", "−")


def _rows(
    dataset: str, values: Mapping[tuple[str, str], Values], against: Sequence[str]
) -> list[AccuracyRow]:
    made = []
    for (strategy, place), own in values.items():
        differences = {
            other: paired_over_seeds(own, values[other, place])
            for other in against
            if other != strategy and (other, place) in values
        }
        accuracy = accuracy_interval(list(own.values()))
        made.append(AccuracyRow(dataset, strategy, place, accuracy, differences))
    return made


def _mean(values: Sequence[Values]) -> Values:
    """Average by seed, over the common seeds."""
    seeds = sorted(set[int].intersection(*(set(one) for one in values)))
    return {seed: sum(one[seed] for one in values) / len(values) for seed in seeds}


def budgets_of(groups: Sequence[CellGroup], strategy: str) -> list[str]:
    """Return the budgets of a strategy, in order."""
    return [group.budget for group in groups if group.strategy == strategy]


def _end(result: CellResult, split: str) -> float:
    line = result.while_training(split)
    return line.accuracy[-1] if line.accuracy else 0.0


def _cost(result: CellResult, split: str, targets: Mapping[int, float]) -> float | None:
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


def accuracy_at(line: LearningCurve, place: int) -> float:
    """Interpolate the accuracy after `place` batches linearly."""
    for before, after in zip(range(len(line.batches)), range(1, len(line.batches)), strict=False):
        low, high = line.batches[before], line.batches[after]
        if low <= place <= high:
            part = (place - low) / (high - low)
            return line.accuracy[before] + part * (line.accuracy[after] - line.accuracy[before])
    return line.accuracy[0]


def round_numbers(first: float, last: float) -> list[int]:
    """Return the numbers 1, 2, 5, 10, 20, 50, … from `first` to `last`."""
    numbers = [base * 10**power for power in range(9) for base in (1, 2, 5)]
    return [number for number in numbers if first <= number <= last]
