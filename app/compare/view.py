"""The Compare page as HTML: which runs are better, what a target costs, which settings differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vecaf.config import RunConfig
from vecaf.evaluation.metrics import describe_metrics
from vecaf.evaluation.run_groups import (
    IGNORED_SETTINGS,
    ComparedRun,
    RunGroup,
    Verdict,
    differing_settings,
    saving,
)
from vecaf.store import ENDED

from ..finetune.form import label
from ..runs.comparison_text import (
    MAY_BE_CHANCE,
    cost_text,
    interval_text,
    notice_kind,
    saving_text,
    verdict_text,
)
from ..shell.components.chart import (
    BASELINE,
    BATCHES,
    COLORS,
    LABELS,
    group_curve,
    percent_chart,
)
from ..shell.templates import macros

CHART = (("accuracy", "Learning curve (test accuracy)"),)


@dataclass(frozen=True)
class ComparedGroup:
    """A group in a table. All values are text.

    `costs`: (cost, saving) in labels and in batches. `final`: the final value of each metric.
    """

    name: str
    color: str
    runs: Sequence[ComparedRun]
    costs: Sequence[tuple[str, str]] = ()
    final: Sequence[str] = ()


def names(groups: Sequence[RunGroup]) -> list[str]:
    """Return a name for each group: its strategy, and in parentheses the settings that differ."""
    different = [name for name in differing_settings(groups) if name not in ("strategy", "subset")]
    reference = groups[-1].config

    def settings_of(group: RunGroup, everything: bool) -> list[str]:
        shown = [name for name in different if everything or group.config[name] != reference[name]]
        return [_setting(name, group.config[name]) for name in shown]

    strategies = [group.strategy for group in groups]
    repeated = len(set(strategies)) < len(groups)
    settings = [settings_of(group, repeated) for group in groups]
    plain = list(zip(strategies, settings, strict=True))
    made = []
    for group, (strategy, shown) in zip(groups, plain, strict=True):
        own = [*shown, f"run {group.runs[0].id}"] if plain.count((strategy, shown)) > 1 else shown
        made.append(f"{strategy} ({', '.join(own)})" if own else strategy)
    return made


def _setting(name: str, value: object) -> str:
    """Return a setting and its value as words, such as 'rounds 4' or 'no target domain'."""
    words = _in_sentence(label(name))
    return f"no {words}" if value == "" else f"{words} {value}"


def _in_sentence(name: str) -> str:
    """Return a label with a small first letter, unless it starts with an acronym."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def colors(groups: Sequence[RunGroup]) -> list[str]:
    """Return a color for each group; the first random one is gray."""
    found, used = [], 0
    for group in groups:
        if group.random and BASELINE not in found:
            found.append(BASELINE)
        else:
            found.append(COLORS[used % len(COLORS)])
            used += 1
    return found


def chart(groups: Sequence[RunGroup], target: float | None) -> str:
    """Return the groups' accuracies as JSON for the chart."""
    curves = [
        group_curve(name, color, group.curves()) | {"dash": color == BASELINE}
        for name, color, group in zip(names(groups), colors(groups), groups, strict=True)
    ]
    key = "-".join(str(run.id) for group in groups for run in group.runs)
    wait = (
        "A point appears after each round."
        if _unfinished(groups)
        else "None of these runs has finished a round with labeled test images."
    )
    shown = percent_chart("accuracy", LABELS, curves, wait, target)
    shown |= {"other": BATCHES, "height": 380}
    return json.dumps({"key": f"compare-{key}", "charts": [shown]})


def top(dataset: str, groups: Sequence[RunGroup], verdicts: Sequence[tuple[int, Verdict]]) -> str:
    """Return the title and a comparison of each group with the last one."""
    called = names(groups)
    compared = [
        (verdict_text(called[place], called[-1], found), notice_kind(found))
        for place, found in verdicts
    ]
    hint = (
        "Select runs with different settings, such as a strategy and its random baseline, to see "
        "which is better."
        if len(groups) < 2
        else "The runs have no round with the same number of labels, so they can't be compared."
    )
    return str(macros("compare").top(dataset, compared, hint, _unfinished(groups)))


def rest(
    groups: Sequence[RunGroup], target: float | None, verdicts: Sequence[tuple[int, Verdict]]
) -> str:
    """Return the cost to reach the accuracy `target`, if there is one, and the settings."""
    costs = "" if target is None else _targets(groups, target, dict(verdicts))
    return costs + _settings(groups)


def _targets(groups: Sequence[RunGroup], target: float, verdicts: Mapping[int, Verdict]) -> str:
    """Return the labels and batches that each group needs to reach the accuracy `target`."""
    shown, metrics = [], describe_metrics()
    named = zip(names(groups), colors(groups), groups, strict=True)
    for place, (name, color, group) in enumerate(named):
        costs = []
        for unit in ("labels", "batches"):
            saved = None
            if group is not groups[-1]:
                saved = saving(group, groups[-1], target, unit, verdicts.get(place))
            costs.append((cost_text(group.costs(target, unit).values(), unit), saving_text(saved)))
        final = [interval_text(group.final(info.name), info) for info in metrics]
        shown.append(ComparedGroup(name, color, group.runs, costs, final))
    caveat = any(MAY_BE_CHANCE in saved for group in shown for _, saved in group.costs)
    heads = [f"Final {info.label}" for info in metrics]
    return str(macros("compare").targets(shown, heads, f"{100 * target:.1f}", caveat))


def _settings(groups: Sequence[RunGroup]) -> str:
    """Return every setting of every group, those that differ first."""
    shown = [
        ComparedGroup(name, color, group.runs)
        for name, color, group in zip(names(groups), colors(groups), groups, strict=True)
    ]
    different = differing_settings(groups)
    settings = [name for name in RunConfig().as_dict() if name not in IGNORED_SETTINGS]
    equal = [name for name in settings if name not in different]
    tables = [
        [(label(name), [group.config[name] for group in groups]) for name in some]
        for some in (different, equal)
    ]
    return str(macros("compare").settings(shown, *tables))


def _unfinished(groups: Sequence[RunGroup]) -> int:
    return sum(run.state not in ENDED for group in groups for run in group.runs)


def nothing(message: str) -> str:
    """Return the page for runs that can't be compared."""
    return str(macros("compare").nothing(message))
