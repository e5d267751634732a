"""ActiveFT at the scale of ImageNet: time compared with its matrix products, and memory.

The features are synthetic, 1,281,167 × 384 in float16, in a memory-mapped file in a temporary
folder (`--folder`). `vecaf.select` selects 1% of the rows after 100 steps of 1,000 rows. A second
selection from fewer rows shows how memory grows with the number of rows. Each selection runs in a
new process, whose peak resident memory is measured.

The lower bound is the time of the matrix products. In each step these are the scores of the batch
at all centroids, and two products for the repulsion of the nearest centroids (counted at the
start). The assignment computes the scores of all rows once. The products are timed before and after
the selection on blocks of the same shape, and scaled.
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
from benchmarks.speed.synthetic import clustered
from vecaf.arrays import Floats
from vecaf.selection.assignment import nearest
from vecaf.selection.stored_rows import FeatureRows, read_rows

WIDTH, BATCH = 384, 1000
BLOCK = 400  # rows per timed block of the assignment


@dataclass(frozen=True)
class Measured:
    """The seconds of a selection and of its matrix products, and the peak memory in bytes."""

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
        name, whole.ours, ("its matrix products", whole.products), within=2,
        note=f"{grown}{options.smaller:,} rows",
    )  # fmt: skip


def write(path: Path, n: int) -> None:
    """Write unit rows (n, 384) in float16 to a .npy file, block by block."""
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (n, WIDTH))
    for start in range(0, n, 20_000):
        block = rows[start : start + 20_000]
        block[:] = clustered(len(block), WIDTH, seed=start)
    rows.flush()


def _apart(path: Path, n: int, steps: int, options: argparse.Namespace) -> Measured:
    """Run `select` in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        given = (path, n, options.centroids, steps, options.timer)
        return pool.apply(select, given)


def select(path: Path, n: int, k: int, steps: int, timer: Clock = time.perf_counter) -> Measured:
    """Select k of the first n rows of the file, and time the matrix products."""
    rows = np.load(path, mmap_mode="r")[:n]
    vecaf.select(rows[:256], 32, "activeft", steps=3, batch_rows=64)  # compiles the kernels
    initial = read_rows(rows, np.sort(np.random.default_rng(0).choice(n, k, replace=False)))
    before = _products(rows, initial, steps, timer)
    started = timer()
    vecaf.select(rows, k, "activeft", steps=steps, batch_rows=BATCH)
    ours = timer() - started
    memory = _peak()
    after = _products(rows, initial, steps, timer)
    return Measured(ours, (before + after) / 2, memory)


def _peak() -> int:
    """Return the peak memory of this process in bytes.

    The value of `getrusage` would include the memory of the parent process.
    """
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
    """Return the mean time of a product after one warm-up call."""
    product()
    started = timer()
    for _ in range(repeats):
        product()
    return (timer() - started) / repeats
