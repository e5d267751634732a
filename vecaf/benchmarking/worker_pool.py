"""Worker processes of one thread each: what they compute does not depend on how many there are."""

from __future__ import annotations

import os
import shutil
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any

from vecaf.benchmarking.cells import Cell
from vecaf.benchmarking.results import Result, Shelf
from vecaf.errors import VecafError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Job = tuple[Cell, Mapping[str, Any]]  # a cell and the facts that decide it


def work_through(
    jobs: Sequence[Job],
    ground: object,
    shelf: Shelf,
    workers: int,
    finished: Callable[[Result], None],
) -> None:
    """Measure every job on `ground` (a `measuring.Ground`) in up to `workers` processes.

    Each result is on the shelf before `finished(result)` is called here. However the call ends,
    Ctrl-C included, its processes are gone and what they finished is kept. Raises what a cell
    raises, after its name, and VecafError when a process dies.
    """
    waiting = deque(jobs)
    crew = _start(min(workers, len(jobs)), ground, shelf)
    busy: dict[Connection, Cell] = {}
    try:
        for hand in crew:
            _next(hand, waiting, busy)
        while busy:
            ready = wait(list(busy))
            for hand in [hand for hand in busy if hand in ready]:
                cell = busy.pop(hand)
                try:
                    outcome = hand.recv()
                except (EOFError, ConnectionResetError) as error:
                    raise VecafError(
                        f"The process that measured {cell} died; most often memory ran out. What "
                        "was finished is kept: run again, with fewer --workers."
                    ) from error
                if isinstance(outcome, Exception):
                    raise outcome
                finished(outcome)
                _next(hand, waiting, busy)
    finally:
        for hand, process in crew.items():
            hand.close()
            process.terminate()
            process.join()


def _start(count: int, ground: object, shelf: Shelf) -> dict[Connection, BaseProcess]:
    context = get_context("spawn")  # torch's threads and the database don't survive a fork
    crew: dict[Connection, BaseProcess] = {}
    with _one_thread():
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, ground, shelf), daemon=True)
            process.start()
            theirs.close()
            crew[ours] = process
    return crew


def _next(hand: Connection, waiting: deque[Job], busy: dict[Connection, Cell]) -> None:
    if waiting:
        job = waiting.popleft()
        hand.send(job)
        busy[hand] = job[0]


def _work(jobs: Connection, ground: Any, shelf: Shelf) -> None:
    """A worker's life: measure what comes, until the other end of `jobs` is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started us
    Thread(target=_die_with, args=(parent_process(), ground.rows.parent), daemon=True).start()
    import torch

    from vecaf.benchmarking.measuring import Bench

    torch.set_num_threads(1)
    bench: Bench | None = None
    while True:
        try:
            cell, facts = jobs.recv()
        except EOFError:
            return
        try:
            bench = bench or Bench(ground)
            result = bench.measure(cell)
            shelf.put(cell, facts, result)
        except VecafError as error:
            jobs.send(type(error)(f"{cell}: {error}"))
        except Exception:
            jobs.send(RuntimeError(f"{cell}: {traceback.format_exc()}"))
        else:
            jobs.send(result)


def _die_with(parent: BaseProcess | None, folder: Path) -> None:
    """End this process when `parent` does, and remove the `folder` that was to go with it: killed,
    it does neither, and nobody waits for our result."""
    if parent is not None:
        parent.join()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that start meanwhile do sums in one thread: its order of adding is fixed."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
