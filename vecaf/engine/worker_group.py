"""Several workers of one machine, as one process to start and to stop."""

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

LOOK_SECONDS = 0.2
RESTART_SECONDS = 5.0  # a worker that can't start does not spin

logger = logging.getLogger(__name__)


def main(settings: Settings, count: int) -> int:
    """Keep `count` workers going until SIGTERM or SIGINT, which they get, too; 0 then.

    A second signal ends them at once. `count` 0 is one for each GPU, or for each
    `settings.processes` of them. Raises UnavailableError where there is no GPU to count.
    """
    count = count or len(visible_gpus()) // settings.processes
    if not count:
        raise UnavailableError(
            f"There are fewer GPUs than a worker takes ({settings.processes}), so their number "
            "can't say how many workers to start. Give it: --count 2."
        )
    stopping = 0
    workers: list[subprocess.Popen[bytes]] = []

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping += 1
        for worker in workers:
            if worker.poll() is None:
                worker.terminate()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    while not stopping:
        for worker in [one for one in workers if one.poll() is not None]:
            workers.remove(worker)
            logger.warning("a worker ended with status %s; another is started", worker.returncode)
            time.sleep(RESTART_SECONDS)
        while len(workers) < count and not stopping:
            workers.append(_start(settings))
        time.sleep(LOOK_SECONDS)
    for worker in workers:
        worker.wait()
    return 0


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches this process alone, which then asks each worker once.
    return subprocess.Popen(
        [sys.executable, "-m", "vecaf", "worker"],
        env=os.environ | settings.as_environment(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
