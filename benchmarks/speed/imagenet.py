"""ActiveFT at ImageNet's scale: time beside that of its matrix products alone, and memory.

Rows are made up, 1,281,167 × 384 in float16, in a file of a temporary folder (`--folder`) that is
mapped, never loaded; `vecaf.select` picks 1% of them after 100 steps of 1,000 rows, checks and
order included. On fewer rows, after 5 steps, it shows how memory grows: each runs in a process of
its own, whose resident memory at its peak is read. The products are those of the method as it is
here: a step scores its rows at all centroids, and the centroids that were hit (counted at the
start) repel in two products; the assignment scores all rows once. They are timed before and after,
on blocks of the same shapes, and scaled.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import vecaf
from benchmarks.speed.figures import Clock, Figure, parser_of
from benchmarks.speed.made_up import clustered
from vecaf.arrays import Floats
from vecaf.selection.assignment import nearest
from vecaf.selection.stored_rows import FeatureRows, read_rows

WIDTH, BATCH = 384, 1000
BLOCK = 400  # rows of the assignment whose product is timed


@dataclass(frozen=True)
class Measured:
    """Seconds of a selection and of its products alone, and bytes of memory at the peak."""

    ours: float
    products: float
    memory: int


def measure(arguments: list[str]) -> Iterator[Figure]:
    parser = parser_of("imagenet", __doc__, repeats=1)
    parser.add_argument("--rows", type=int, default=1_281_167)
    parser.add_argument("--smaller", type=int, default=320_000, help="rows to compare memory with")
    parser.add_argument("--centroids", type=int, default=12_811)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="for the file of features (1 GB)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "features.npy"
        write(path, options.rows)
        small = _apart(path, options.smaller, min(5, options.steps), options)
        whole = _apart(path, options.rows, options.steps, options)
    grown = f"peak {whole.memory / 2**30:.2f} GiB, {whole.memory / small.memory - 1:+.1%} from "
    name = f"select {options.centroids:,} of {options.rows:,} × {WIDTH}, {options.steps} steps"
    yield Figure(
        name, whole.ours, ("its products alone", whole.products), within=2,
        note=f"{grown}{options.smaller:,} rows",
    )  # fmt: skip


def write(path: Path, n: int) -> None:
    """Unit rows (n, 384) in float16 as a .npy file, made a block at a time."""
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (n, WIDTH))
    for start in range(0, n, 20_000):
        block = rows[start : start + 20_000]
        block[:] = clustered(len(block), WIDTH, seed=start)
    rows.flush()


def _apart(path: Path, n: int, steps: int, options: argparse.Namespace) -> Measured:
    """`select` in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        given = (path, n, options.centroids, steps, options.timer)
        return pool.apply(select, given)


def select(path: Path, n: int, k: int, steps: int, timer: Clock = time.perf_counter) -> Measured:
    """Pick k of the first n rows of the file, and time its products."""
    rows = np.load(path, mmap_mode="r")[:n]
    vecaf.select(rows[:256], 32, "activeft", steps=3, batch_rows=64)  # compiles
    initial = read_rows(rows, np.sort(np.random.default_rng(0).choice(n, k, replace=False)))
    before = _products(rows, initial, steps, timer)
    started = timer()
    vecaf.select(rows, k, "activeft", steps=steps, batch_rows=BATCH)
    ours = timer() - started
    memory = _peak()
    after = _products(rows, initial, steps, timer)
    return Measured(ours, (before + after) / 2, memory)


def _peak() -> int:
    """Bytes of this process's own memory at its peak. What `getrusage` says begins with the memory
    of the process that started this one."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _products(rows: FeatureRows, centroids: Floats, steps: int, timer: Clock) -> float:
    batch = read_rows(rows, slice(0, BATCH))
    hit = np.unique(nearest(batch, centroids)[1])
    targets = torch.from_numpy(centroids)
    seen, repelled = torch.from_numpy(batch), targets[torch.from_numpy(hit)]
    block = torch.from_numpy(read_rows(rows, slice(0, BLOCK)))
    shares = torch.empty(len(hit), len(centroids))
    step = _seconds(lambda: seen @ targets.T, timer)
    step += _seconds(lambda: torch.mm(repelled, targets.T, out=shares), timer)
    step += _seconds(lambda: shares @ targets, timer)
    return steps * step + len(rows) / BLOCK * _seconds(lambda: block @ targets.T, timer)


def _seconds(product: Callable[[], object], timer: Clock, repeats: int = 5) -> float:
    """What a product takes on average, once it is warm."""
    product()
    started = timer()
    for _ in range(repeats):
        product()
    return (timer() - started) / repeats
