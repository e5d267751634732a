"""Waiting for a run from the command line, with a worker started for it where none is alive."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import sqlalchemy as sa

from vecaf.errors import UnavailableError, first_line
from vecaf.store import ENDED, Store
from vecaf.store.runs import RunSummary, run_summary
from vecaf.store.workers import worker_alive

LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 2.0  # before a database out of reach is asked again
STOP_SECONDS = 15.0


@contextmanager
def some_worker(store: Store) -> Iterator[Callable[[], None]]:
    """Yield a function that sees to it that a worker is alive, starting one where there is none.

    What it started ends with the block. It raises UnavailableError when that worker ended by
    itself and no other is alive.
    """
    settings = replace(store.settings, standby_minutes=0)  # it ends with the command
    started: subprocess.Popen[bytes] | None = None

    def ensure() -> None:
        nonlocal started
        with store.read() as session:
            alive = worker_alive(session)
        if alive or (started is not None and started.poll() is None):
            return
        if started is not None:
            raise UnavailableError(
                f"The worker ended with status {started.returncode}. Run python -m vecaf worker "
                "to see why; the run stays queued."
            )
        started = subprocess.Popen(
            [sys.executable, "-m", "vecaf", "worker"],
            env=os.environ | settings.as_environment(),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )

    try:
        yield ensure
    finally:
        if started is not None:
            started.terminate()
            try:
                started.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


def follow(
    store: Store, user_id: int, run_id: int, show: Callable[[RunSummary], None]
) -> RunSummary:
    """Wait until the run has ended, calling `show` whenever it moved; its last summary.

    Raises UnavailableError when no worker can be kept alive.
    """
    shown = None
    with some_worker(store) as ensure:
        while True:
            try:
                with store.read() as session:
                    run = run_summary(session, user_id, run_id)
                if run != shown:
                    show(run)
                    shown = run
                if run.state in ENDED:
                    return run
                ensure()
            except sa.exc.OperationalError as error:  # it may pass, as it does for workers
                print(f"waiting for the database: {first_line(error)}", file=sys.stderr)
                time.sleep(PATIENCE_SECONDS)
            time.sleep(LOOK_SECONDS)
