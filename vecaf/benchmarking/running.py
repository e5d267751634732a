"""Running a benchmark: cells whose results are not cached are measured."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vecaf.benchmarking.cells import Cell, Grid, check
from vecaf.benchmarking.measuring import prepare_dataset
from vecaf.benchmarking.results import (
    CellResult,
    ResultCache,
    cache_facts,
    content_digest,
    vlm_digest,
)
from vecaf.benchmarking.worker_pool import CellJob, run_jobs
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders import set_facts
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.dataset_vlm import DatasetVLM
from vecaf.encoders.runtime import choose_device
from vecaf.errors import InputError
from vecaf.runs.preparation import uses_text, with_device
from vecaf.settings import Settings
from vecaf.training.head_init import with_head_init

StageProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DatasetJobs:
    """The cells of one dataset, each with the facts of its cache key."""

    samples: Samples
    jobs: tuple[CellJob, ...]


def plan_jobs(grid: Grid, load: Callable[[str], Samples], settings: Settings) -> list[DatasetJobs]:
    """List and check the cells of each dataset before any of them runs.

    Parameters
    ----------
    grid
    load
        Reads a dataset by name.
    settings

    Raises
    ------
    InputError
        If a cell can't run, or the track does not allow a strategy.
    """
    return [
        dataset_jobs(grid.cells(dataset), limit_pool(load(dataset), grid.pool), settings)
        for dataset in grid.datasets
    ]


def dataset_jobs(cells: Sequence[Cell], samples: Samples, settings: Settings) -> DatasetJobs:
    """Check the cells of one dataset, which must use the same models; see `plan_jobs`."""
    check(cells, samples)
    base = cells[0].config
    settings = with_device(base, settings)
    kind = choose_device(settings.device).partition(":")[0]
    pvm = pvm_for(base, samples)
    cells = [
        replace(cell, config=with_head_init(cell.config, samples, pvm.feature_dim))
        for cell in cells
    ]
    embedding = set_facts(pvm, settings)[0]
    with_text = [uses_text(cell.config) for cell in cells]
    vlm = vlm_digest(DatasetVLM(base.vlm, samples, pvm, settings).vlm) if any(with_text) else ""
    content = content_digest(samples)
    jobs = tuple(
        (cell, cache_facts(cell, content, embedding, vlm if text else "", kind))
        for cell, text in zip(cells, with_text, strict=True)
    )
    return DatasetJobs(samples, jobs)


def measure_all(
    tasks: Iterable[DatasetJobs],
    cache: ResultCache,
    settings: Settings,
    workers: int,
    progress: StageProgress = lambda stage, done, total: None,
) -> list[CellResult]:
    """Return the result of every cell, measuring those that are not cached.

    Parameters
    ----------
    tasks
        The jobs of each dataset.
    cache
        Every result is written to it as soon as it is finished.
    settings
    workers
        Number of worker processes.
    progress
        Called with the stage, the number of finished items and the total.

    Returns
    -------
    list of CellResult
        In the order of `tasks`.

    Raises
    ------
    VecafError
        If a dataset can't be prepared or a cell fails. Finished results remain in the cache.
    """
    tasks = list(tasks)
    total = sum(len(task.jobs) for task in tasks)
    missing = [[job for job in task.jobs if cache.find(*job) is None] for task in tasks]
    done = total - sum(map(len, missing))

    def finished(result: CellResult) -> None:
        nonlocal done
        done += 1
        progress("Measuring", done, total)

    for task, jobs in zip(tasks, missing, strict=True):
        if not jobs:
            continue
        with tempfile.TemporaryDirectory(prefix="vecaf-benchmark-") as name:
            prepared = prepare_dataset(
                [cell.config for cell, _ in jobs], task.samples, settings, Path(name),
                lambda at, of: progress("Computing embeddings", at, of),
            )  # fmt: skip
            progress("Measuring", done, total)
            run_jobs(jobs, prepared, cache, workers, finished)
    return [_found(cache, job) for task in tasks for job in task.jobs]


def default_workers(config: RunConfig, settings: Settings) -> int:
    """Return the default number of workers: one per available core, or one on a GPU."""
    if choose_device(with_device(config, settings).device) != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_pool(samples: Samples, pool: int) -> Samples:
    """Reduce the pool to a fixed random sample, which is the same for all cells.

    Parameters
    ----------
    samples
    pool
        Number of pool images to keep; 0 keeps all. Other pool images are removed.

    Raises
    ------
    InputError
        If the pool has fewer images.
    """
    offered = samples.pool[samples.labels[samples.pool] >= 0]
    if not pool:
        return samples
    if pool > len(offered):
        raise InputError(
            f"The pool has only {len(offered)} labeled images. Pass --pool {len(offered)} or less."
        )
    drawn = np.random.default_rng(0).choice(offered, pool, replace=False)
    held_out = np.flatnonzero(np.isin(samples.splits, ("val", "test")))
    return samples.take(np.sort(np.concatenate([drawn, held_out])))


def _found(cache: ResultCache, job: CellJob) -> CellResult:
    result = cache.find(*job)
    if result is None:
        raise InputError(f"The cached result of {job[0]} was deleted. Run the benchmark again.")
    return result
