"""Run several workers on one machine as one process."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from types import FrameType

from vecaf.engine.gpus import visible_gpus
from vecaf.errors import UnavailableError
from vecaf.settings import Settings

POLL_SECONDS = 0.2
RESTART_SECONDS = 5.0  # pause before a worker is restarted

logger = logging.getLogger(__name__)


def main(settings: Settings, count: int) -> int:
    """Keep workers running until SIGTERM or SIGINT, and return the exit status 0.

    The first signal stops the workers, a second one ends them at once.

    Parameters
    ----------
    count
        Number of workers. 0 = one for each `settings.processes` GPUs.

    Raises
    ------
    UnavailableError
        `count` is 0 and there are not enough GPUs for one worker.
    """
    count = count or len(visible_gpus()) // settings.processes
    if not count:
        raise UnavailableError(
            f"There are not enough GPUs for one worker, which uses {settings.processes}. To start "
            "workers without GPUs, pass their number, such as --count 2."
        )
    signals = 0
    workers: list[subprocess.Popen[bytes]] = []

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        for worker in workers:
            if worker.poll() is None:
                worker.terminate()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    while not signals:
        for worker in [one for one in workers if one.poll() is not None]:
            workers.remove(worker)
            logger.warning("A worker exited with status %s. Restarting it.", worker.returncode)
            time.sleep(RESTART_SECONDS)
        while len(workers) < count and not signals:
            workers.append(_start(settings))
        time.sleep(POLL_SECONDS)
    for worker in workers:
        worker.wait()
    return 0


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    # In a session of its own, the worker gets Ctrl-C only once, from this process.
    return subprocess.Popen(
        [sys.executable, "-m", "vecaf", "worker"],
        env=os.environ | settings.as_environment(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
