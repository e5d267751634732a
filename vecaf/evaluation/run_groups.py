"""Runs put side by side: equal but for the seed is one group; the random baseline is another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from vecaf.config import RunConfig
from vecaf.errors import InputError, NotFoundError
from vecaf.evaluation.comparison import (
    Difference,
    Line,
    cost_of,
    paired_over_images,
    paired_over_seeds,
)
from vecaf.evaluation.mistakes import tested
from vecaf.selection.first_round import first_strategy
from vecaf.settings import Settings
from vecaf.store import Dataset, Run, visible
from vecaf.store.runs import learning_curves, runs_on
from vecaf.store.subsets import subset_named

RANDOM = "random"
ASIDE = ("dataset", "seed", "device")  # what does not tell groups apart
FREE = (*ASIDE, "strategy", "strategy_options", "subset")  # … between a run and its baseline


@dataclass(frozen=True)
class Entry:
    """One run in a comparison. `strategy` is how its images were picked, its subset's included."""

    id: int
    name: str
    state: str
    seed: int
    strategy: str
    config: dict[str, Any]
    line: Line


@dataclass(frozen=True)
class Group:
    """Runs that are equal but for the seed, oldest first."""

    config: dict[str, Any]
    strategy: str
    runs: tuple[Entry, ...]

    @property
    def random(self) -> bool:
        return self.strategy == RANDOM

    def by_seed(self) -> dict[int, Line]:
        """Of the started runs one a seed, the newest: a repeat tells nothing about chance."""
        return {run.seed: run.line for run in self.runs if run.line.accuracy}

    def lines(self) -> list[Line]:
        return list(self.by_seed().values())

    def costs(self, target: float, by: str) -> dict[int, float | None]:
        """What each seed took to reach the accuracy `target`, None where it never did."""
        return {
            seed: cost_of(target, line.spent(by), line.accuracy)
            for seed, line in self.by_seed().items()
        }

    def final(self) -> float | None:
        """The mean accuracy after the last finished rounds; None before any."""
        last = [line.accuracy[-1] for line in self.lines()]
        return sum(last) / len(last) if last else None


@dataclass(frozen=True)
class Verdict:
    """How two groups compare with `labeled` images each: mean accuracies and their difference."""

    labeled: int
    first: float
    second: float
    difference: Difference | None  # None where no predictions are kept to tell chance by


@dataclass(frozen=True)
class Saving:
    """How much less the first of two groups spends to reach an accuracy.

    `share` is a share of what the second spends, negative where the first spends more. `holds`:
    whether the saving is beyond chance.
    """

    share: float
    holds: bool


def saving(
    first: Group, second: Group, target: float, by: str, found: Verdict | None
) -> Saving | None:
    """Compare what two groups spend to reach the accuracy `target`; `found` is their verdict.

    The saving holds where the group that spends less has the higher accuracy beyond chance, and
    where the costs of two or more common seeds differ beyond chance, too. None where a seed of
    either never reached the target.
    """
    mine, theirs = _reached(first.costs(target, by)), _reached(second.costs(target, by))
    if not mine or not theirs:
        return None
    share = 1 - (sum(mine.values()) / len(mine)) / (sum(theirs.values()) / len(theirs))
    difference = None if found is None else found.difference
    holds = (
        found is not None
        and difference is not None
        and difference.beyond_chance
        and (found.first > found.second) == (share > 0)
    )
    costs = paired_over_seeds(mine, theirs)
    if costs is not None:
        holds = holds and costs.beyond_chance and (costs.mean < 0) == (share > 0)
    return Saving(share, holds)


def _reached(costs: Mapping[int, float | None]) -> dict[int, float]:
    """The costs by seed where every seed reached the target, else none."""
    reached = {seed: cost for seed, cost in costs.items() if cost is not None}
    return reached if len(reached) == len(costs) else {}


def entries(session: Session, user_id: int, run_ids: Sequence[int]) -> tuple[Dataset, list[Entry]]:
    """The runs to be compared and the dataset they share, oldest first.

    Raises NotFoundError for a run that is not there, InputError for none or several datasets.
    """
    if not run_ids:
        raise InputError("Choose at least two runs to compare.")
    runs = [visible(session, user_id, Run, run_id) for run_id in sorted(set(run_ids))]
    if len({run.dataset_id for run in runs}) > 1:
        names = sorted({visible(session, user_id, Dataset, r.dataset_id).name for r in runs})
        raise InputError(
            f"These runs are of different datasets ({', '.join(names)}), so their accuracies say "
            "nothing about each other. Choose runs of one dataset."
        )
    dataset = visible(session, user_id, Dataset, runs[0].dataset_id)
    return dataset, _entries(session, user_id, runs)


def baselines(session: Session, user_id: int, run_id: int) -> list[Entry]:
    """The random runs that are this run's measure: equal but for strategy and seed, oldest first.

    A run on a saved selection is measured by one on a random selection of as many images.
    Raises NotFoundError.
    """
    run = visible(session, user_id, Run, run_id)
    others = [other for other in runs_on(session, user_id, run.dataset_id) if other.id != run_id]
    wanted = _settled(run.config, FREE)
    alike = [other for other in others if _alike(run.config, other.config, wanted)]
    found = _entries(session, user_id, sorted(alike, key=lambda other: other.id))
    own = next(iter(_entries(session, user_id, [run])))
    return [
        entry for entry in found
        if entry.strategy == RANDOM and own.strategy != RANDOM
        and (not own.config["subset"] or _first(entry) in (None, _first(own)))
    ]  # fmt: skip


def grouped(found: Sequence[Entry]) -> list[Group]:
    """The runs as groups, in order of their first run; random ones last."""
    groups: dict[str, list[Entry]] = {}
    for entry in found:
        groups.setdefault(str(sorted(_settled(entry.config, ASIDE).items())), []).append(entry)
    return sorted(
        map(group_of, groups.values()), key=lambda group: (group.random, group.runs[0].id)
    )


def group_of(runs: Sequence[Entry]) -> Group:
    """Runs that are taken for one group, by the first one's configuration."""
    return Group(runs[0].config, runs[0].strategy, tuple(runs))


def differing(groups: Sequence[Group]) -> list[str]:
    """The settings that tell the groups apart, in the order of RunConfig."""
    configs = [group.config for group in groups]
    return [
        name for name in RunConfig().as_dict()
        if name not in ASIDE and len({str(config[name]) for config in configs}) > 1
    ]  # fmt: skip


def verdict(
    session: Session, user_id: int, settings: Settings, first: Group, second: Group
) -> Verdict | None:
    """How the groups compare at the most labelled images that all of their runs have reached.

    By pairs of equal seeds where there are two or more; else over the test images of one run of
    each, of the same seed where there is one. None where they have no such point in common.
    """
    started = [run for run in (*first.runs, *second.runs) if run.line.accuracy]
    ours = {run.seed: run for run in first.runs if run in started}
    theirs = {run.seed: run for run in second.runs if run in started}
    common = set[int].intersection(*(set(run.line.labeled) for run in started)) if started else ()
    if not common or not ours or not theirs:
        return None
    labeled = max(common)

    def at(runs: Mapping[int, Entry]) -> dict[int, float]:
        return {
            seed: run.line.accuracy[run.line.labeled.index(labeled)] for seed, run in runs.items()
        }

    one, other = at(ours), at(theirs)
    difference = paired_over_seeds(one, other)
    if difference is None:
        seed = min(ours.keys() & theirs.keys(), default=None)
        pair = (
            (ours[seed], theirs[seed])
            if seed is not None
            else (ours[min(ours)], theirs[min(theirs)])
        )
        difference = _over_images(session, user_id, settings, *pair, labeled)
        one, other = {0: one[pair[0].seed]}, {0: other[pair[1].seed]}
    shared = one.keys() & other.keys()
    means = [sum(runs[seed] for seed in shared) / len(shared) for runs in (one, other)]
    return Verdict(labeled, means[0], means[1], difference)


def _over_images(
    session: Session, user_id: int, settings: Settings, first: Entry, second: Entry, labeled: int
) -> Difference | None:
    found = []
    for entry in (first, second):
        run = visible(session, user_id, Run, entry.id)
        number = entry.line.labeled.index(labeled) + 1
        found.append(tested(session, run, settings.runs / str(run.id), number))
    one, other = found
    if one is None or other is None:
        return None
    shared = set(one.ids.tolist()) & set(other.ids.tolist())
    keep = [[int(i) in shared for i in side.ids] for side in (one, other)]
    return paired_over_images(one.right[keep[0]], other.right[keep[1]])


def _entries(session: Session, user_id: int, runs: Sequence[Run]) -> list[Entry]:
    reached = learning_curves(session, user_id, [run.id for run in runs])
    made = []
    for run in runs:
        rounds = [item for item in reached[run.id] if item.test_accuracy is not None]
        line = Line(
            tuple(item.labeled for item in rounds),
            tuple(item.batches for item in rounds),
            tuple(item.test_accuracy or 0.0 for item in rounds),
        )
        config = {**RunConfig().as_dict(), **run.config}
        strategy = _strategy(session, user_id, run, config)
        made.append(Entry(run.id, run.name, run.state, run.seed, strategy, config, line))
    return made


def _strategy(session: Session, user_id: int, run: Run, config: Mapping[str, Any]) -> str:
    """How the images were picked: a subset says it itself, where it is still there; in a run of one
    round, a strategy that needs a trained model picked none."""
    if not config["subset"]:
        asked = RunConfig.from_dict(config)
        return first_strategy(asked) if asked.rounds == 1 else asked.strategy
    try:
        facts = subset_named(session, user_id, run.dataset_id, config["subset"]).facts
    except NotFoundError:
        return str(config["subset"])
    return str(facts.get("strategy") or config["subset"])


def _settled(config: Mapping[str, Any], without: Sequence[str]) -> dict[str, Any]:
    full = {**RunConfig().as_dict(), **config}
    return {name: value for name, value in full.items() if name not in without}


def _alike(config: Mapping[str, Any], other: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    theirs = _settled(other, FREE)
    if config.get("subset"):  # one round on a selection: its size is what was labelled
        return _without_budget(theirs) == _without_budget(wanted)
    return theirs == wanted and not other.get("subset")


def _without_budget(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "budget"}


def _first(entry: Entry) -> int | None:
    return entry.line.labeled[0] if entry.line.labeled else None
