"""Waiting for a run from the command line, with a worker started for it where none is alive."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vecaf.store import ENDED, Store
from vecaf.store.runs import RunSummary, run_summary
from vecaf.store.workers import worker_alive

LOOK_SECONDS = 0.5
STOP_SECONDS = 15.0


@contextmanager
def some_worker(store: Store) -> Iterator[None]:
    """A worker is alive within the block: the studio's own, or one that ends with the block."""
    with store.read() as session:
        alive = worker_alive(session)
    if alive:
        yield
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "vecaf", "worker"],
        env=os.environ | store.settings.as_environment(),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def follow(
    store: Store, user_id: int, run_id: int, show: Callable[[RunSummary], None]
) -> RunSummary:
    """Wait until the run has ended, calling `show` whenever it moved; its last summary."""
    shown = None
    while True:
        with store.read() as session:
            run = run_summary(session, user_id, run_id)
        if run != shown:
            show(run)
            shown = run
        if run.state in ENDED:
            return run
        time.sleep(LOOK_SECONDS)
