"""Wait for a run from the command line, and keep a worker alive for it meanwhile."""

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
from vecaf.store.records import RunSummary
from vecaf.store.runs import run_summary
from vecaf.store.workers import worker_alive

POLL_SECONDS = 0.5
RETRY_SECONDS = 2.0  # pause after an error of the database
STOP_SECONDS = 15.0
STDERR = 2  # the file descriptor; `sys.stderr` of a notebook may have none


@contextmanager
def keep_worker_alive(store: Store) -> Iterator[Callable[[], None]]:
    """Yield a function that starts a worker if no worker is alive.

    A worker that it started stops when the block ends. The function raises UnavailableError if its
    worker exited and no other is alive.
    """
    settings = replace(store.settings, standby_minutes=0)  # the worker stops with the command
    started: subprocess.Popen[bytes] | None = None

    def ensure_worker() -> None:
        nonlocal started
        with store.read() as session:
            alive = worker_alive(session)
        if alive or (started is not None and started.poll() is None):
            return
        if started is not None:
            raise UnavailableError(
                f"The worker exited with status {started.returncode}. The job stays in the queue. "
                "To see the error, run: python -m vecaf worker"
            )
        started = subprocess.Popen(
            [sys.executable, "-m", "vecaf", "worker"],
            env=os.environ | settings.as_environment(),
            stdin=subprocess.DEVNULL,
            stdout=STDERR,
        )

    try:
        yield ensure_worker
    finally:
        if started is not None:
            started.terminate()
            try:
                started.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


def wait_for_run(
    store: Store, user_id: int, run_id: int, on_change: Callable[[RunSummary], None]
) -> None:
    """Wait until a run has ended, and call `on_change` whenever its record changes.

    Raises UnavailableError if no worker can be kept alive.
    """
    last = None
    with keep_worker_alive(store) as ensure_worker:
        while True:
            try:
                with store.read() as session:
                    run = run_summary(session, user_id, run_id)
                if run != last:
                    on_change(run)
                    last = run
                if run.state in ENDED:
                    return
                ensure_worker()
            except sa.exc.OperationalError as error:  # often temporary, such as a locked database
                print(f"Waiting for the database: {first_line(error)}", file=sys.stderr)
                time.sleep(RETRY_SECONDS)
            time.sleep(POLL_SECONDS)
