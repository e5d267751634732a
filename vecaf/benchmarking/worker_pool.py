"""A pool of single-threaded worker processes; results do not depend on their number."""

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
from vecaf.benchmarking.results import CellResult, ResultCache
from vecaf.errors import VecafError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

CellJob = tuple[Cell, Mapping[str, Any]]  # a cell and the facts of its cache key


def run_jobs(
    jobs: Sequence[CellJob],
    dataset: object,
    cache: ResultCache,
    workers: int,
    finished: Callable[[CellResult], None],
) -> None:
    """Measure all jobs in worker processes.

    All processes have ended when this function returns or raises, even on Ctrl-C. Finished results
    remain in the cache.

    Parameters
    ----------
    jobs
    dataset
        A `measuring.PreparedDataset`.
    cache
        Each result is written to it before `finished` is called.
    workers
        The maximum number of processes.
    finished
        Called with each result, in this process.

    Raises
    ------
    VecafError
        If a cell fails, or a process dies.
    """
    pending = deque(jobs)
    processes = _start(min(workers, len(jobs)), dataset, cache)
    busy: dict[Connection, Cell] = {}
    try:
        for connection in processes:
            _send_next(connection, pending, busy)
        while busy:
            ready = wait(list(busy))
            for connection in [one for one in busy if one in ready]:
                cell = busy.pop(connection)
                try:
                    outcome = connection.recv()
                except (EOFError, ConnectionResetError) as error:
                    raise VecafError(
                        f"The process that measured {cell} died, probably because memory ran out. "
                        "Finished results are cached. Run again with fewer --workers."
                    ) from error
                if isinstance(outcome, Exception):
                    raise outcome
                finished(outcome)
                _send_next(connection, pending, busy)
    finally:
        for connection, process in processes.items():
            connection.close()
            process.terminate()
            process.join()


def _start(count: int, dataset: object, cache: ResultCache) -> dict[Connection, BaseProcess]:
    context = get_context("spawn")  # torch's threads and database connections do not survive a fork
    processes: dict[Connection, BaseProcess] = {}
    with _one_thread():
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, dataset, cache), daemon=True)
            process.start()
            theirs.close()
            processes[ours] = process
    return processes


def _send_next(
    connection: Connection, pending: deque[CellJob], busy: dict[Connection, Cell]
) -> None:
    if pending:
        job = pending.popleft()
        connection.send(job)
        busy[connection] = job[0]


def _work(jobs: Connection, dataset: Any, cache: ResultCache) -> None:
    """Measure the cells that arrive, until the other end of `jobs` is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    Thread(target=_exit_with, args=(parent_process(), dataset.rows.parent), daemon=True).start()
    import torch

    from vecaf.benchmarking.measuring import CellRunner

    torch.set_num_threads(1)
    runner: CellRunner | None = None
    while True:
        try:
            cell, facts = jobs.recv()
        except EOFError:
            return
        try:
            runner = runner or CellRunner(dataset)
            result = runner.measure(cell)
            cache.put(cell, facts, result)
        except VecafError as error:
            jobs.send(type(error)(f"{cell}: {error}"))
        except Exception:
            jobs.send(RuntimeError(f"{cell}: {traceback.format_exc()}"))
        else:
            jobs.send(result)


def _exit_with(parent: BaseProcess | None, folder: Path) -> None:
    """Exit when the parent process ends, and remove the folder of features.

    A parent that is killed does neither itself.
    """
    if parent is not None:
        parent.join()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Make processes that start in this context use one thread, for reproducible results."""
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
