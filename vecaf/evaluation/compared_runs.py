"""Reading runs for a comparison, finding their random baselines, and comparing two groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from vecaf.config import RunConfig
from vecaf.errors import InputError, NotFoundError
from vecaf.evaluation.comparison import (
    Difference,
    LearningCurve,
    paired_over_images,
    paired_over_seeds,
)
from vecaf.evaluation.labeled_predictions import load_labeled_predictions
from vecaf.evaluation.run_groups import (
    IGNORED_SETTINGS,
    RANDOM,
    ComparedRun,
    RunGroup,
    Verdict,
    settings_without,
)
from vecaf.selection.first_round import first_strategy
from vecaf.settings import Settings
from vecaf.store import TEST, Dataset, Run, visible
from vecaf.store.runs import learning_curves, runs_on
from vecaf.store.subsets import subset_named

# A random baseline may differ from a run in these settings.
BASELINE_SETTINGS = (*IGNORED_SETTINGS, "strategy", "strategy_options", "subset")


def runs_to_compare(
    session: Session, user_id: int, run_ids: Sequence[int]
) -> tuple[Dataset, list[ComparedRun]]:
    """Read the runs of a comparison.

    Returns
    -------
    dataset : Dataset
        The dataset of all the runs.
    runs : list of ComparedRun
        Oldest first.

    Raises
    ------
    NotFoundError
        If a run does not exist or the user may not see it.
    InputError
        If there are no runs, or runs on different datasets.
    """
    if not run_ids:
        raise InputError("Choose at least two runs to compare.")
    runs = [visible(session, user_id, Run, run_id) for run_id in sorted(set(run_ids))]
    if len({run.dataset_id for run in runs}) > 1:
        names = sorted({visible(session, user_id, Dataset, r.dataset_id).name for r in runs})
        raise InputError(
            f"These runs use different datasets ({', '.join(names)}), so their accuracies are not "
            "comparable. Choose runs on the same dataset."
        )
    dataset = visible(session, user_id, Dataset, runs[0].dataset_id)
    return dataset, _compared_runs(session, user_id, runs)


def random_baselines(session: Session, user_id: int, run_id: int) -> list[ComparedRun]:
    """Find the random baselines of a run.

    A random baseline has the same settings except for the strategy and the seed. The baseline of a
    run on a saved selection is a run on equally many randomly selected images.

    Returns
    -------
    list of ComparedRun
        Oldest first.

    Raises
    ------
    NotFoundError
        If the run does not exist or the user may not see it.
    """
    run = visible(session, user_id, Run, run_id)
    others = [other for other in runs_on(session, user_id, run.dataset_id) if other.id != run_id]
    matching = [other for other in others if _differ_as_baseline(run.config, other.config)]
    found = _compared_runs(session, user_id, sorted(matching, key=lambda other: other.id))
    own = next(iter(_compared_runs(session, user_id, [run])))
    return [
        other for other in found
        if other.strategy == RANDOM and own.strategy != RANDOM
        and (not own.config["subset"] or _first_labeled(other) in (None, _first_labeled(own)))
    ]  # fmt: skip


def compare_groups(
    session: Session, user_id: int, settings: Settings, first: RunGroup, second: RunGroup
) -> Verdict | None:
    """Compare two groups at the largest number of labeled images that all their runs have reached.

    With two or more common seeds, the difference is paired by seed. Otherwise it is paired by test
    image, between one run of each group, with the same seed if possible.

    Returns
    -------
    Verdict or None
        None if the runs have no number of labeled images in common.
    """
    started = [run for run in (*first.runs, *second.runs) if run.curve.accuracy]
    first_runs = {run.seed: run for run in first.runs if run in started}
    second_runs = {run.seed: run for run in second.runs if run in started}
    common = set[int].intersection(*(set(run.curve.labeled) for run in started)) if started else ()
    if not common or not first_runs or not second_runs:
        return None
    labeled = max(common)

    def accuracy_of(runs: Mapping[int, ComparedRun]) -> dict[int, float]:
        return {
            seed: run.curve.accuracy[run.curve.labeled.index(labeled)] for seed, run in runs.items()
        }

    one, other = accuracy_of(first_runs), accuracy_of(second_runs)
    difference = paired_over_seeds(one, other)
    if difference is None:
        seed = min(first_runs.keys() & second_runs.keys(), default=None)
        pair = (
            (first_runs[seed], second_runs[seed])
            if seed is not None
            else (first_runs[min(first_runs)], second_runs[min(second_runs)])
        )
        difference = _difference_over_images(session, user_id, settings, *pair, labeled)
        one, other = {0: one[pair[0].seed]}, {0: other[pair[1].seed]}
    shared = one.keys() & other.keys()
    means = [sum(runs[seed] for seed in shared) / len(shared) for runs in (one, other)]
    return Verdict(labeled, means[0], means[1], difference)


def _difference_over_images(
    session: Session,
    user_id: int,
    settings: Settings,
    first: ComparedRun,
    second: ComparedRun,
    labeled: int,
) -> Difference | None:
    found = []
    for compared in (first, second):
        run = visible(session, user_id, Run, compared.id)
        number = compared.curve.labeled.index(labeled) + 1
        folder = settings.runs / str(run.id)
        found.append(load_labeled_predictions(session, run, folder, number))
    one, other = found
    if one is None or other is None:
        return None
    shared = set(one.ids.tolist()) & set(other.ids.tolist())
    keep = [[int(i) in shared for i in side.ids] for side in (one, other)]
    return paired_over_images(one.correct[keep[0]], other.correct[keep[1]])


def _compared_runs(session: Session, user_id: int, runs: Sequence[Run]) -> list[ComparedRun]:
    results = learning_curves(session, user_id, [run.id for run in runs])
    compared = []
    for run in runs:
        rounds = [item for item in results[run.id] if item.test_accuracy is not None]
        curve = LearningCurve(
            tuple(item.labeled for item in rounds),
            tuple(item.batches for item in rounds),
            tuple(item.test_accuracy or 0.0 for item in rounds),
        )
        config = {**RunConfig().as_dict(), **run.config}
        strategy = _strategy(session, user_id, run, config)
        last = rounds[-1].metrics[TEST] if rounds else {}
        compared.append(
            ComparedRun(run.id, run.name, run.state, run.seed, strategy, config, curve, last)
        )
    return compared


def _strategy(session: Session, user_id: int, run: Run, config: Mapping[str, Any]) -> str:
    """Return the strategy that selected a run's images.

    A saved selection records its strategy. In a run of one round, a strategy that needs a trained
    model is replaced by that of the first round.
    """
    if not config["subset"]:
        parsed = RunConfig.from_dict(config)
        return first_strategy(parsed) if parsed.rounds == 1 else parsed.strategy
    try:
        facts = subset_named(session, user_id, run.dataset_id, config["subset"]).facts
    except NotFoundError:
        return str(config["subset"])
    return str(facts.get("strategy") or config["subset"])


def _differ_as_baseline(config: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two configurations differ only in BASELINE_SETTINGS."""
    if config.get("subset"):  # the size of the selection replaces the budget
        ignored = (*BASELINE_SETTINGS, "budget")
        return settings_without(config, ignored) == settings_without(other, ignored)
    same = settings_without(config, BASELINE_SETTINGS) == settings_without(other, BASELINE_SETTINGS)
    return same and not other.get("subset")


def _first_labeled(run: ComparedRun) -> int | None:
    return run.curve.labeled[0] if run.curve.labeled else None
