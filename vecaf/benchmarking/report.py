"""A benchmark's results as files: tables in Markdown and CSV, plots in SVG and HTML."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vecaf.benchmarking import plots
from vecaf.benchmarking.cells import Grid
from vecaf.benchmarking.results import Result
from vecaf.benchmarking.summary import (
    MEAN,
    SHARE,
    Cost,
    Group,
    Row,
    at_batches,
    by_budget,
    costs,
    grouped,
    not_better,
    points,
    series,
)
from vecaf.evaluation.comparison import Interval
from vecaf.files import write_bytes

LABELS, BATCHES = "labels", "batches"
AXES = {LABELS: "labelled images", BATCHES: "batches (optimizer steps)"}


@dataclass(frozen=True)
class Section:
    """One dataset's part of the report."""

    dataset: str
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]  # by budget
    steps: tuple[tuple[str, tuple[Row, ...]], ...]  # budget → by batches, amid training
    costs: tuple[Cost, ...]
    findings: tuple[str, ...]  # where a strategy does not beat what it is compared with


def sections(grid: Grid, results: Sequence[Result]) -> list[Section]:
    """The report's parts, one a dataset, in the grid's order."""
    made = []
    for dataset in grid.datasets:
        groups = [group for group in grouped(results) if group.dataset == dataset]
        rows = by_budget(groups, grid.against)
        target = costs(groups)
        steps = [(size, tuple(at_batches(groups, grid.against, size))) for size in grid.budgets]
        labels = {group.budget: group.labeled for group in groups}
        found = [
            sentence
            for other in grid.against
            for sentence in not_better(rows, other, partial(_where, labels))
        ]
        kept = tuple(one for one in steps if one[1]) if target else ()
        made.append(Section(dataset, tuple(groups), tuple(rows), kept, tuple(target), tuple(found)))
    return made


def markdown(grid: Grid, parts: Sequence[Section], command: str) -> str:
    """The whole report as Markdown; `command` is what makes it again."""
    lines = ["# Benchmark", "", f"    {command}", ""]
    lines += [_about(grid), ""]
    for part in parts:
        lines += [f"## {part.dataset}", "", *_of(grid, part)]
        for by in AXES:
            lines += [f"![Accuracy against {AXES[by]}]({file_name(part.dataset, by)}.svg)", ""]
    return "\n".join(lines).rstrip() + "\n"


def write_report(
    folder: Path, grid: Grid, results: Sequence[Result], command: str
) -> tuple[str, list[Path]]:
    """Write `table.md`, `table.csv`, `cells.csv` and two plots a dataset into `folder`; returns the
    Markdown and the files."""
    parts = sections(grid, results)
    text = markdown(grid, parts, command)
    contents: dict[str, str] = {
        "table.md": text,
        "table.csv": _csv([line for part in parts for line in _records(part)]),
        "cells.csv": _csv([_record(one) for one in results]),
    }
    for part in parts:
        for by, axis in AXES.items():
            lines = series(part.groups, by)
            title, name = f"{part.dataset}: test accuracy", file_name(part.dataset, by)
            contents[f"{name}.svg"] = plots.as_svg(title, axis, lines)
            contents[f"{name}.html"] = plots.as_html(title, axis, lines)
    for name, content in contents.items():
        write_bytes(folder / name, content.encode())
    return text, [folder / name for name in contents]


def as_dict(grid: Grid, parts: Sequence[Section], results: Sequence[Result]) -> dict[str, Any]:
    """The report as one JSON object."""
    return {
        "datasets": list(grid.datasets),
        "strategies": list(grid.strategies),
        "budgets": list(grid.budgets),
        "seeds": grid.seeds,
        "track": grid.base.track,
        "mode": grid.base.mode,
        "table": [line for part in parts for line in _records(part)],
        "cells": [_record(one) for one in results],
        "findings": [sentence for part in parts for sentence in part.findings],
    }


def file_name(dataset: str, by: str) -> str:
    """A plot's file name without its ending; a dataset's name may hold anything."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", dataset).strip("-") or "dataset"
    return f"{plain}-accuracy-by-{by}"


def _about(grid: Grid) -> str:
    base = grid.base
    rounds = "one round" if base.rounds == 1 else f"{base.rounds} rounds"
    pool = f", a pool of {grid.pool:,} images" if grid.pool else ""
    seeds = "one seed" if grid.seeds == 1 else f"{grid.seeds} seeds"
    return (
        f"{base.track} track, {base.mode}, `{base.model}`, {rounds}{pool}, {seeds}. Test accuracy "
        "(%), mean over the seeds with its 95% t-interval; differences in points, paired by seed, "
        "with 95% t-intervals that are not corrected for how many there are."
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
            f"Accuracy (%, {split} images) after equal numbers of batches amid training, budget "
            f"{budget}:",
            "",
            *_table(["strategy", *at], rows, at, lambda row: percent(row.accuracy)),
            "",
            *_differences(grid, ["strategy", *at], rows, at),
        ]
    lines += [*(f"- {sentence}" for sentence in part.findings), ""] if part.findings else []
    return lines


def _differences(
    grid: Grid, heads: Sequence[str], rows: Sequence[Row], places: Sequence[str]
) -> list[str]:
    lines = []
    for other in grid.against:
        found = [row for row in rows if row.differences.get(other) is not None]
        if found:
            lines += [
                f"Difference from {other}:",
                "",
                *_table(heads, found, places, lambda row, name=other: _points(row, name)),
                "",
            ]
    return lines


def _points(row: Row, other: str) -> str:
    found = row.differences.get(other)
    if found is None:
        return "–"
    return f"**{points(found)}**" if found.beyond_chance else points(found)


def _costs(found: Sequence[Cost]) -> list[str]:
    heads = [
        "strategy", "budget", "labels", "batches in all", f"batches to {SHARE:.0%} of full's",
        "full's batches ÷ its",
    ]  # fmt: skip
    lines = [
        f"Batches to reach {SHARE:.0%} of full finetuning's final accuracy on the {found[0].split} "
        "images, as they are read while it trains:",
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
        saving = "–" if one.saving is None else _ratio(one.saving)
        cells = [
            group.strategy, group.budget, f"{group.labeled:,}", f"{group.batches():,.0f}", cost,
            saving,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _ratio(found: Interval) -> str:
    if found.low is None or found.high is None:
        return f"{found.mean:.2f}"
    return f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"


def _table(heads: Sequence[str], rows: Sequence[Row], places: Sequence[str], say: Any) -> list[str]:
    """Markdown: a line a strategy, a column a place."""
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for strategy in dict.fromkeys(row.strategy for row in rows):
        own = {row.place: say(row) for row in rows if row.strategy == strategy}
        lines.append(f"| {' | '.join([strategy, *(own.get(place, '–') for place in places)])} |")
    return lines


def percent(found: Interval) -> str:
    """'62.4 (61.9 to 62.9)', or the mean alone for one seed."""
    if found.low is None or found.high is None:
        return f"{100 * found.mean:.1f}"
    return f"{100 * found.mean:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"


def _head(place: str, labels: dict[str, int]) -> str:
    if place == MEAN:
        return "mean of the budgets"
    count = labels[place]
    return f"{count:,} labels" if place == str(count) else f"{place} ({count:,} labels)"


def _where(labels: dict[str, int], place: str) -> str:
    return "on the mean of the budgets" if place == MEAN else f"at {labels[place]:,} labels"


def _records(part: Section) -> list[dict[str, Any]]:
    """One line of `table.csv` a strategy and budget; shares from 0 to 1."""
    by_key = {(group.strategy, group.budget): group for group in part.groups}
    cost_by_key = {(one.group.strategy, one.group.budget): one for one in part.costs}
    others = list(dict.fromkeys(name for row in part.rows for name in row.differences))
    lines = []
    for row in part.rows:
        group, cost = (
            by_key.get((row.strategy, row.place)),
            cost_by_key.get((row.strategy, row.place)),
        )
        reached = [value for value in cost.costs if value is not None] if cost else []
        line: dict[str, Any] = {
            "dataset": part.dataset,
            "strategy": row.strategy,
            "budget": row.place,
            "labels": group.labeled if group else None,
            "batches": group.batches() if group else None,
            "seeds": row.accuracy.n,
            "accuracy": row.accuracy.mean,
            "low": row.accuracy.low,
            "high": row.accuracy.high,
            "batches_to_target": sum(reached) / len(reached) if reached else None,
            "seeds_at_target": len(reached) if cost else None,
            "full_over_its_batches": cost.saving.mean if cost and cost.saving else None,
        }
        for other in others:
            found = row.differences.get(other)
            line |= {
                f"minus_{other}": found.mean if found else None,
                f"minus_{other}_low": found.low if found else None,
                f"minus_{other}_high": found.high if found else None,
            }
        lines.append(line)
    return lines


def _record(one: Result) -> dict[str, Any]:
    return {
        "dataset": one.dataset,
        "strategy": one.strategy,
        "budget": one.budget,
        "seed": one.seed,
        "labels": one.labeled,
        "batches": one.batches,
        "val_accuracy": one.rounds[-1].val_accuracy,
        "test_accuracy": one.accuracy,
        "seconds": one.seconds,
        "picks": one.rounds[-1].picks,
    }


def _csv(lines: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(dict.fromkeys(name for line in lines for name in line)))
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()
