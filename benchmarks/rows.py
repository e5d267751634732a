"""Rows of a table, each a run with some settings changed: measured where no cache holds them yet.

Results are kept under VECAF_HOME/benchmarks, so that a program that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vecaf.benchmarking import summary
from vecaf.benchmarking.cells import Cell
from vecaf.benchmarking.results import CellResult, ResultCache
from vecaf.benchmarking.running import dataset_jobs, limit_pool, measure_all
from vecaf.commands.output import ProgressBar
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples, load_samples
from vecaf.evaluation.comparison import Difference
from vecaf.settings import Settings
from vecaf.store import Store, dataset_named


@dataclass(frozen=True)
class Row:
    """`changes` are to the settings that all rows of a table share."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    def config(self, base: RunConfig, **more: Any) -> RunConfig:
        return replace(base, **{**self.changes, **more}).checked()


def samples_of(name: str, settings: Settings, pool: int = 0) -> Samples:
    """A dataset of VECAF_HOME, its pool cut to `pool` images where that isn't 0."""
    store = Store.open(settings)
    with store.read() as session:
        dataset = dataset_named(session, store.owner(), name)
        return limit_pool(load_samples(session, dataset, settings.images), pool)


def measured(
    configs: Sequence[RunConfig], samples: Samples, settings: Settings, workers: int
) -> list[CellResult]:
    """The result of each run, in order."""
    cells = [Cell(one.strategy, one.budget, one) for one in configs]
    cache = ResultCache(settings.home / "benchmarks" / "cells")
    return measure_all(
        [dataset_jobs(cells, samples, settings)], cache, settings, workers, ProgressBar()
    )


def points(found: Difference | None) -> str:
    """'+1.2 (+0.8 to +1.6)' in percentage points, '–' where nothing can be said."""
    return "–" if found is None else summary.points(found)
