"""A selection at the size of ImageNet: one process compared with Ray actors that hold shards.

    python -m benchmarks.scaling.selection --shards 4

The features are synthetic, 1,281,167 × 384 in float16, in a mapped file. Each way of selecting runs
in a new process. The program compares the selected rows, and prints the time and the peak memory of
each process. The processor time also counts on a busy machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import vecaf
from benchmarks.speed.imagenet import WIDTH, write
from vecaf.arrays import Ids
from vecaf.selection import LocalSharding

CONNECTED_CPUS = 16  # logical; actors wait for a free one


@dataclass
class Measured:
    """A selection.

    Attributes
    ----------
    ids
        The selected rows.
    seconds
        Wall time.
    processor
        Processor seconds of all processes.
    peaks
        Peak resident bytes of this process and of each actor.
    """

    ids: Ids
    seconds: float
    processor: float
    peaks: list[int] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_281_167)
    parser.add_argument("--selected", type=int, default=12_811)
    parser.add_argument("--strategy", default="activeft")
    parser.add_argument("--steps", type=int, default=5, help="of activeft and vecaf")
    parser.add_argument("--batch-rows", type=int, default=50_000, help="of activeft")
    parser.add_argument("--iterations", type=int, default=2, help="of kmeans")
    parser.add_argument("--shards", type=int, nargs="+", default=[4])
    parser.add_argument("--folder", type=Path, help="for the file of features (1 GB)")
    given = parser.parse_args()
    names = {"activeft": ("steps", "batch_rows"), "vecaf": ("steps",), "kmeans": ("iterations",)}
    options = {name: getattr(given, name) for name in names.get(given.strategy, ())}
    print(f"{given.strategy}, {given.selected:,} of {given.rows:,} × {WIDTH}, {options}")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "features.npy"
        write(path, given.rows)
        request = (str(path), given.selected, given.strategy, options)
        one = _in_new_process(*request, 0)
        print(_row("one process", one), flush=True)
        for shards in given.shards:
            found = _in_new_process(*request, shards)
            same = int((found.ids == one.ids).sum())
            print(f"{_row(f'{shards} actors', found)}, {same:,} of {len(one.ids):,} rows equal")


def _row(name: str, found: Measured) -> str:
    peaks = " ".join(f"{peak / 2**20:,.0f}" for peak in found.peaks)
    return f"{name}: {found.seconds:.0f} s, {found.processor:.0f} processor s, peak MiB {peaks}"


def _in_new_process(*arguments: Any) -> Measured:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(select, arguments)


def select(path: str, k: int, strategy: str, options: dict[str, Any], shards: int) -> Measured:
    """Select k rows of a file with `shards` actors, or in this process for 0."""
    rows = np.load(path, mmap_mode="r")
    vecaf.select(rows[:256], 8, "kmeans", iterations=1)  # compiles the kernels
    actors = _Actors()
    sharding: Any = LocalSharding()
    if shards:
        import ray

        from vecaf.engine.shard_actors import RaySharding

        memory = 2 * 2**30  # holds a shard while it is sent
        ray.init(
            "local", num_cpus=CONNECTED_CPUS, include_dashboard=False, object_store_memory=memory
        )
        sharding = RaySharding(shards)
    own, started = time.process_time(), time.perf_counter()
    with actors:
        selection = vecaf.select(rows, k, strategy, sharding=sharding, **options)
    seconds, processor = time.perf_counter() - started, time.process_time() - own
    found = [_peak(os.getpid()), *(peak for peak, _ in actors.last.values())]
    spent = sum(used for _, used in actors.last.values())
    if shards:
        ray.shutdown()
    return Measured(selection.ids, seconds, processor + spent, found)


class _Actors:
    """Samples peak memory and processor seconds of the shard actors on this machine."""

    def __init__(self) -> None:
        self.last: dict[int, tuple[int, float]] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(0.5):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    if (folder / "cmdline").read_bytes().startswith(b"ray::ShardActor"):
                        fields = (folder / "stat").read_text().rpartition(")")[2].split()
                        used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                        self.last[int(folder.name)] = _peak(int(folder.name)), used
                except OSError:  # the process has ended
                    continue


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
