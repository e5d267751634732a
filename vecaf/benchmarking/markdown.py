"""The Markdown report of a benchmark: tables, plots and findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from vecaf.benchmarking.cells import Grid
from vecaf.benchmarking.plots import AXES, file_name
from vecaf.benchmarking.sections import Section
from vecaf.benchmarking.summary import MEAN, TARGET_SHARE, AccuracyRow, TargetCost, points
from vecaf.evaluation.comparison import Interval


def markdown(grid: Grid, parts: Sequence[Section], command: str) -> str:
    """Write the report.

    Parameters
    ----------
    grid
    parts
        One section per dataset.
    command
        The command line that reproduces the benchmark.
    """
    lines = ["# Benchmark", "", f"    {command}", ""]
    lines += [_about(grid), ""]
    for part in parts:
        lines += [f"## {part.dataset}", "", *_of(grid, part)]
        for by in AXES:
            lines += [f"![Accuracy against {AXES[by]}]({file_name(part.dataset, by)}.svg)", ""]
    return "\n".join(lines).rstrip() + "\n"


def _about(grid: Grid) -> str:
    base = grid.base
    rounds = "one round" if base.rounds == 1 else f"{base.rounds} rounds"
    pool = f", pool of {grid.pool:,} images" if grid.pool else ""
    seeds = "one seed" if grid.seeds == 1 else f"{grid.seeds} seeds"
    if grid.first_seed:
        seeds = f"seeds {grid.first_seed} to {grid.first_seed + grid.seeds - 1}"
    return (
        f"{base.track} track, {base.mode}, `{base.model}`, {rounds}{pool}, {seeds}. Test accuracy "
        "is in percent: the mean over the seeds with its 95% t-interval. Differences are in "
        "percentage points, paired by seed, with 95% t-intervals that are not corrected for "
        "multiple comparisons. Significant differences are bold."
    )


def _of(grid: Grid, part: Section) -> list[str]:
    labels = {group.budget: group.labeled for group in part.groups}
    places = list(dict.fromkeys(row.place for row in part.rows))
    heads = ["strategy", *(_head(place, labels) for place in places)]
    lines = [*_table(heads, part.rows, places, lambda row: percent(row.accuracy)), ""]
    lines += _differences(grid, heads, part.rows, places)
    if part.costs:
        lines += [*_costs(part.costs), ""]
    for budget, rows in part.steps:
        split = part.costs[0].split
        at = list(dict.fromkeys(row.place for row in rows))
        lines += [
            f"Accuracy on the {split} images (%) after equal numbers of batches, budget {budget}:",
            "",
            *_table(["strategy", *at], rows, at, lambda row: percent(row.accuracy)),
            "",
            *_differences(grid, ["strategy", *at], rows, at),
        ]
    lines += [*(f"- {sentence}" for sentence in part.findings), ""] if part.findings else []
    return lines


def _differences(
    grid: Grid, heads: Sequence[str], rows: Sequence[AccuracyRow], places: Sequence[str]
) -> list[str]:
    lines = []
    for other in grid.against:
        found = [row for row in rows if row.differences.get(other) is not None]
        if found:
            lines += [
                f"Difference from {other}:",
                "",
                *_table(heads, found, places, partial(_points, other)),
                "",
            ]
    return lines


def _points(other: str, row: AccuracyRow) -> str:
    found = row.differences.get(other)
    if found is None:
        return "–"
    return f"**{points(found)}**" if found.significant else points(found)


def _costs(found: Sequence[TargetCost]) -> list[str]:
    heads = [
        "strategy", "budget", "labels", "total batches",
        f"batches to {TARGET_SHARE:.0%} of whole pool", "saving (whole pool ÷ strategy)",
    ]  # fmt: skip
    lines = [
        f"The target is {TARGET_SHARE:.0%} of the final {found[0].split} accuracy of a run on the "
        "whole pool. The table shows how many batches each strategy needs to reach it:",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    for one in found:
        group, reached = one.group, [cost for cost in one.costs if cost is not None]
        if not reached:
            cost = "not reached"
        else:
            cost = f"{sum(reached) / len(reached):,.0f}"
            if len(reached) < len(one.costs):
                cost += f" ({len(reached)} of {len(one.costs)} seeds)"
        saving = "–" if one.saving is None else _spanned(one.saving, 1, 2)
        cells = [
            group.strategy, group.budget, f"{group.labeled:,}", f"{group.batches():,.0f}", cost,
            saving,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _table(
    heads: Sequence[str],
    rows: Sequence[AccuracyRow],
    places: Sequence[str],
    text_of: Callable[[AccuracyRow], str],
) -> list[str]:
    """Create a Markdown table with a row per strategy and a column per budget or batch count."""
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for strategy in dict.fromkeys(row.strategy for row in rows):
        own = {row.place: text_of(row) for row in rows if row.strategy == strategy}
        lines.append(f"| {' | '.join([strategy, *(own.get(place, '–') for place in places)])} |")
    return lines


def percent(found: Interval) -> str:
    """Format as '62.4 (61.9 to 62.9)', or the mean only if there is one seed."""
    return _spanned(found, 100, 1)


def _spanned(found: Interval, scale: float, digits: int) -> str:
    mean = f"{scale * found.mean:.{digits}f}"
    if found.low is None or found.high is None:
        return mean
    return f"{mean} ({scale * found.low:.{digits}f} to {scale * found.high:.{digits}f})"


def _head(place: str, labels: dict[str, int]) -> str:
    if place == MEAN:
        return "mean over budgets"
    count = labels[place]
    return f"{count:,} labels" if place == str(count) else f"{place} ({count:,} labels)"
