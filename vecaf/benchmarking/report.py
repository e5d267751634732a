"""The report of a benchmark: Markdown, CSV, plots (SVG and HTML), and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vecaf.benchmarking import plots
from vecaf.benchmarking.cells import Grid
from vecaf.benchmarking.markdown import markdown
from vecaf.benchmarking.results import CellResult
from vecaf.benchmarking.sections import Section, sections
from vecaf.benchmarking.series import series
from vecaf.files import write_bytes


def write_report(
    folder: Path, grid: Grid, results: Sequence[CellResult], command: str
) -> tuple[str, list[Path]]:
    """Write `table.md`, `table.csv`, `cells.csv` and two plots per dataset.

    Returns
    -------
    text : str
        The Markdown report.
    files : list of Path
        The written files.
    """
    parts = sections(grid, results)
    text = markdown(grid, parts, command)
    contents: dict[str, str] = {
        "table.md": text,
        "table.csv": _csv([line for part in parts for line in _records(part)]),
        "cells.csv": _csv([_record(one) for one in results]),
    }
    for part in parts:
        for by, axis in plots.AXES.items():
            lines = series(part.groups, by)
            title, name = f"{part.dataset}: test accuracy", plots.file_name(part.dataset, by)
            contents[f"{name}.svg"] = plots.as_svg(title, axis, lines)
            contents[f"{name}.html"] = plots.as_html(title, axis, lines)
    for name, content in contents.items():
        write_bytes(folder / name, content.encode())
    return text, [folder / name for name in contents]


def as_dict(grid: Grid, parts: Sequence[Section], results: Sequence[CellResult]) -> dict[str, Any]:
    """Return the report as JSON data."""
    return {
        "datasets": list(grid.datasets),
        "strategies": list(grid.strategies),
        "budgets": list(grid.budgets),
        "seeds": grid.seeds,
        "first_seed": grid.first_seed,
        "track": grid.base.track,
        "mode": grid.base.mode,
        "table": [line for part in parts for line in _records(part)],
        "cells": [_record(one) for one in results],
        "findings": [sentence for part in parts for sentence in part.findings],
    }


def _records(part: Section) -> list[dict[str, Any]]:
    """Return the rows of `table.csv`, one per strategy and budget; accuracies from 0 to 1."""
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


def _record(one: CellResult) -> dict[str, Any]:
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
        "selection": one.rounds[-1].selection,
    }


def _csv(lines: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(dict.fromkeys(name for line in lines for name in line)))
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()
