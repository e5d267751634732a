"""Table rows, each a run with some changed settings.

Results are cached in VECAF_HOME/benchmarks, so that an interrupted program can be resumed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vecaf.benchmarking import summary
from vecaf.benchmarking.cells import Cell
from vecaf.benchmarking.results import CellResult, ResultCache
from vecaf.benchmarking.running import dataset_jobs, limit_pool, measure_all
from vecaf.commands.output import ProgressBar
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.datasets.pool import Samples, load_samples
from vecaf.evaluation.comparison import Difference
from vecaf.settings import Settings
from vecaf.store import Store, dataset_named


@dataclass(frozen=True)
class Row:
    """A row of a table. `changes` overrides the settings that all rows share."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    def config(self, base: RunConfig, **more: Any) -> RunConfig:
        """Return the settings of this row. `more` overrides the row's changes."""
        return replace(base, **{**self.changes, **more}).checked()


def samples_of(name: str, settings: Settings, pool: int = 0) -> Samples:
    """Read a dataset from VECAF_HOME, with the pool reduced to `pool` images unless that is 0."""
    store = Store.open(settings)
    with store.read() as session:
        dataset = dataset_named(session, store.owner(), name)
        return limit_pool(load_samples(session, dataset, settings.images), pool)


def import_samples(path: Path, settings: Settings, pool: int = 0) -> Samples:
    """Import a dataset into an empty VECAF_HOME, and read it as `samples_of` does."""
    print("importing …", file=sys.stderr)
    store = Store.open(settings)
    import_dataset(store, path, "data")
    store.close()
    return samples_of("data", settings, pool)


def measured(
    configs: Sequence[RunConfig], samples: Samples, settings: Settings, workers: int
) -> list[CellResult]:
    """Return the result of each run in order, measuring those that are not cached."""
    cells = [Cell(one.strategy, one.budget, one) for one in configs]
    cache = ResultCache(settings.home / "benchmarks" / "cells")
    return measure_all(
        [dataset_jobs(cells, samples, settings)], cache, settings, workers, ProgressBar()
    )


def points(found: Difference | None) -> str:
    """Format a difference as '+1.2 (+0.8 to +1.6)' percentage points; '–' if there is none."""
    return "–" if found is None else summary.points(found)
