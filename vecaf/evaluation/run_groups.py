"""Groups of runs that differ only by seed, and the saving of one group over another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vecaf.config import RunConfig
from vecaf.evaluation.comparison import (
    Difference,
    Interval,
    LearningCurve,
    cost_to_reach,
    interval,
    paired_over_seeds,
)

RANDOM = "random"
# Runs that differ only in these settings belong to one group.
IGNORED_SETTINGS = ("dataset", "seed", "device", "trackers")


@dataclass(frozen=True)
class ComparedRun:
    """A run in a comparison.

    Attributes
    ----------
    id, name, state, seed
    strategy
        The strategy that selected the images. For a run on a saved selection, it is the strategy
        of that selection.
    config
        All settings, including defaults.
    curve
    metrics
        Test metrics of the last finished round, by name.
    """

    id: int
    name: str
    state: str
    seed: int
    strategy: str
    config: dict[str, Any]
    curve: LearningCurve
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RunGroup:
    """Runs that differ only by seed, oldest first."""

    config: dict[str, Any]
    strategy: str
    runs: tuple[ComparedRun, ...]

    @property
    def random(self) -> bool:
        """Whether the images were selected at random."""
        return self.strategy == RANDOM

    def by_seed(self) -> dict[int, LearningCurve]:
        """Return the learning curve of each seed.

        Only the newest run of a seed counts, because a repetition adds no information about
        variance. Runs without a finished round are left out.
        """
        return {seed: run.curve for seed, run in self._newest().items()}

    def _newest(self) -> dict[int, ComparedRun]:
        return {run.seed: run for run in self.runs if run.curve.accuracy}

    def curves(self) -> list[LearningCurve]:
        """Return the learning curves, one per seed."""
        return list(self.by_seed().values())

    def costs(self, target: float, unit: str) -> dict[int, float | None]:
        """Return the cost at which each seed reaches an accuracy; None if it never does.

        Parameters
        ----------
        target
            Accuracy, from 0 to 1.
        unit
            "labels" or "batches".
        """
        return {
            seed: cost_to_reach(target, curve.cost(unit), curve.accuracy)
            for seed, curve in self.by_seed().items()
        }

    def final(self, metric: str) -> Interval | None:
        """Return the mean of a test metric after the last finished rounds, over the seeds."""
        values = [run.metrics[metric] for run in self._newest().values() if metric in run.metrics]
        return interval(values) if values else None

    def final_accuracy(self) -> float | None:
        """Return the mean accuracy after the last finished rounds; None if there are none."""
        last = [curve.accuracy[-1] for curve in self.curves()]
        return sum(last) / len(last) if last else None


@dataclass(frozen=True)
class Verdict:
    """A comparison of two groups at an equal number of labeled images.

    Attributes
    ----------
    labeled
        Number of labeled images.
    first, second
        Mean accuracies, from 0 to 1.
    difference
        None if significance can't be tested, because the predictions were not saved.
    """

    labeled: int
    first: float
    second: float
    difference: Difference | None


@dataclass(frozen=True)
class Saving:
    """How much less the first group spends than the second to reach an accuracy.

    Attributes
    ----------
    share
        Fraction of the second group's cost. Negative if the first group spends more.
    holds
        Whether the saving is statistically significant.
    """

    share: float
    holds: bool


def saving(
    first: RunGroup, second: RunGroup, target: float, unit: str, found: Verdict | None
) -> Saving | None:
    """Compare the costs of two groups to reach an accuracy.

    The saving is significant if the cheaper group also has a significantly higher accuracy. If two
    or more seeds are common, their costs must differ significantly, too.

    Parameters
    ----------
    first, second
    target
        Accuracy, from 0 to 1.
    unit
        "labels" or "batches".
    found
        The verdict on the two groups' accuracies.

    Returns
    -------
    Saving or None
        None if a seed of either group never reached the target.
    """
    first_costs = _costs_if_all_reached(first.costs(target, unit))
    second_costs = _costs_if_all_reached(second.costs(target, unit))
    if not first_costs or not second_costs:
        return None
    first_mean = sum(first_costs.values()) / len(first_costs)
    second_mean = sum(second_costs.values()) / len(second_costs)
    share = 1 - first_mean / second_mean
    difference = None if found is None else found.difference
    holds = (
        found is not None
        and difference is not None
        and difference.significant
        and (found.first > found.second) == (share > 0)
    )
    costs = paired_over_seeds(first_costs, second_costs)
    if costs is not None:
        holds = holds and costs.significant and (costs.mean < 0) == (share > 0)
    return Saving(share, holds)


def _costs_if_all_reached(costs: Mapping[int, float | None]) -> dict[int, float]:
    """Return the costs by seed, or nothing if a seed did not reach the target."""
    reached = {seed: cost for seed, cost in costs.items() if cost is not None}
    return reached if len(reached) == len(costs) else {}


def group_runs(found: Sequence[ComparedRun]) -> list[RunGroup]:
    """Group runs that differ only by seed, in order of their first run; random groups last."""
    groups: dict[str, list[ComparedRun]] = {}
    for run in found:
        settings = settings_without(run.config, IGNORED_SETTINGS)
        groups.setdefault(str(sorted(settings.items())), []).append(run)
    return sorted(
        map(single_group, groups.values()), key=lambda group: (group.random, group.runs[0].id)
    )


def single_group(runs: Sequence[ComparedRun]) -> RunGroup:
    """Put all runs into one group, described by the configuration of the first run."""
    return RunGroup(runs[0].config, runs[0].strategy, tuple(runs))


def differing_settings(groups: Sequence[RunGroup]) -> list[str]:
    """Return the settings in which the groups differ, in the order of RunConfig."""
    configs = [group.config for group in groups]
    return [
        name for name in RunConfig().as_dict()
        if name not in IGNORED_SETTINGS and len({str(config[name]) for config in configs}) > 1
    ]  # fmt: skip


def settings_without(config: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return all settings, including defaults, except the named ones."""
    full = {**RunConfig().as_dict(), **config}
    return {name: value for name, value in full.items() if name not in names}
