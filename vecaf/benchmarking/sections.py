"""The sections of a benchmark report, one per dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from vecaf.benchmarking.cells import Grid
from vecaf.benchmarking.results import CellResult
from vecaf.benchmarking.summary import (
    MEAN,
    AccuracyRow,
    CellGroup,
    TargetCost,
    at_batches,
    by_budget,
    costs,
    group_cells,
    not_better,
)


@dataclass(frozen=True)
class Section:
    """The part of the report about one dataset.

    Attributes
    ----------
    dataset
    groups
    rows
        Final accuracy by budget.
    steps
        For each budget, the accuracy by batches during training.
    costs
        Batches to reach the target accuracy.
    findings
        Sentences about strategies that are not significantly better than those in `against`.
    """

    dataset: str
    groups: tuple[CellGroup, ...]
    rows: tuple[AccuracyRow, ...]
    steps: tuple[tuple[str, tuple[AccuracyRow, ...]], ...]
    costs: tuple[TargetCost, ...]
    findings: tuple[str, ...]


def sections(grid: Grid, results: Sequence[CellResult]) -> list[Section]:
    """Create the sections of the report, in the order of the grid's datasets."""
    made = []
    for dataset in grid.datasets:
        groups = [group for group in group_cells(results) if group.dataset == dataset]
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
    return "averaged over the budgets" if place == MEAN else f"at {labels[place]:,} labels"
