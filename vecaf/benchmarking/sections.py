"""A benchmark's results, a section a dataset: what tables, plots and sentences are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from vecaf.benchmarking.cells import Grid
from vecaf.benchmarking.results import Result
from vecaf.benchmarking.summary import (
    MEAN,
    Cost,
    Group,
    Row,
    at_batches,
    by_budget,
    costs,
    grouped,
    not_better,
)


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


def _where(labels: dict[str, int], place: str) -> str:
    return "on the mean of the budgets" if place == MEAN else f"at {labels[place]:,} labels"
