"""A benchmark from its grid to its results: only cells that no shelf holds are measured."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vecaf.benchmarking.cells import Cell, Grid, check
from vecaf.benchmarking.measuring import lay_ground
from vecaf.benchmarking.results import Result, Shelf, content_digest, deciding, vlm_digest
from vecaf.benchmarking.worker_pool import Job, work_through
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders import set_facts
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.dataset_vlm import DatasetVLM
from vecaf.encoders.runtime import choose_device
from vecaf.errors import InputError
from vecaf.runs.preparation import uses_text, with_device
from vecaf.settings import Settings

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Task:
    """One dataset's cells, each with the facts that decide it."""

    samples: Samples
    jobs: tuple[Job, ...]


def plan_tasks(grid: Grid, load: Callable[[str], Samples], settings: Settings) -> list[Task]:
    """The grid's cells by dataset, all checked before anything runs. `load(name)` reads a dataset.

    Raises InputError for a cell that can't be run, or a strategy that the track rules out.
    """
    return [
        task_of(grid.cells(dataset), limited(load(dataset), grid.pool), settings)
        for dataset in grid.datasets
    ]


def task_of(cells: Sequence[Cell], samples: Samples, settings: Settings) -> Task:
    """The cells of one dataset, which share their models, checked. Raises InputError as above."""
    check(cells, samples)
    base = cells[0].config
    settings = with_device(base, settings)
    kind = choose_device(settings.device).partition(":")[0]
    pvm = pvm_for(base, samples)
    embedding = set_facts(pvm, settings)[0]
    speaks = [uses_text(cell.config) for cell in cells]
    vlm = vlm_digest(DatasetVLM(base.vlm, samples, pvm, settings).vlm) if any(speaks) else ""
    content = content_digest(samples)
    jobs = tuple(
        (cell, deciding(cell, content, embedding, vlm if spoken else "", kind))
        for cell, spoken in zip(cells, speaks, strict=True)
    )
    return Task(samples, jobs)


def measure_all(
    tasks: Iterable[Task],
    shelf: Shelf,
    settings: Settings,
    workers: int,
    progress: Progress = lambda stage, done, total: None,
) -> list[Result]:
    """Every cell's result, in the order of `tasks`; what the shelf lacks is measured now.

    Raises what `lay_ground` and `work_through` raise; what is finished by then is on the shelf.
    """
    tasks = list(tasks)
    total = sum(len(task.jobs) for task in tasks)
    missing = [[job for job in task.jobs if shelf.find(*job) is None] for task in tasks]
    done = total - sum(map(len, missing))

    def finished(result: Result) -> None:
        nonlocal done
        done += 1
        progress("Measuring", done, total)

    for task, jobs in zip(tasks, missing, strict=True):
        if not jobs:
            continue
        with tempfile.TemporaryDirectory(prefix="vecaf-benchmark-") as name:
            ground = lay_ground(
                [cell.config for cell, _ in jobs], task.samples, settings, Path(name),
                lambda at, of: progress("Computing embeddings", at, of),
            )  # fmt: skip
            progress("Measuring", done, total)
            work_through(jobs, ground, shelf, workers, finished)
    return [_found(shelf, job) for task in tasks for job in task.jobs]


def default_workers(config: RunConfig, settings: Settings) -> int:
    """A process for each core that may be used; on a GPU one, for they would share it."""
    if choose_device(with_device(config, settings).device) != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limited(samples: Samples, pool: int) -> Samples:
    """The samples with a pool of `pool` images, drawn once and for all cells alike; 0 keeps all.

    What is not drawn is gone, so that nothing is spent on it. Raises InputError where there are
    fewer.
    """
    offered = samples.pool[samples.labels[samples.pool] >= 0]
    if not pool:
        return samples
    if pool > len(offered):
        raise InputError(f"The pool is to be {pool} images, but only {len(offered)} are there.")
    drawn = np.random.default_rng(0).choice(offered, pool, replace=False)
    held_out = np.flatnonzero(np.isin(samples.splits, ("val", "test")))
    return samples.take(np.sort(np.concatenate([drawn, held_out])))


def _found(shelf: Shelf, job: Job) -> Result:
    result = shelf.find(*job)
    if result is None:
        raise InputError(f"The result of {job[0]} was there and is gone; run again.")
    return result
