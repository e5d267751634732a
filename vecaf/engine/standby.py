"""A child process that loads libraries before there is a job for it.

Importing the libraries takes longer than a small selection. While a worker is idle, it starts a
standby process, which gets the next run or task. If no job arrives within
`Settings.standby_minutes`, the standby process ends; the worker starts another one after the next
job.
"""

from __future__ import annotations

import json
import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from vecaf.engine.protocol import Attempt

IDLE_SECONDS = 6.0  # idle time before a standby process starts, so that pages load first

Process = subprocess.Popen[bytes]

log = logging.getLogger(__name__)


class Standby:
    """The standby process of one worker. Calls must not overlap."""

    def __init__(
        self,
        start: Callable[[], Process],
        end: Callable[[Process], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use `start` to start a process, and `end` to kill it with its process group."""
        self._start, self._end, self._clock = start, end, clock
        self._process: Process | None = None
        self._wanted = True
        self._since = self._clock()  # when the worker became idle, or when the process started

    def update(self, minutes: int) -> None:
        """Start or end the process if it is time to. Call this repeatedly while idle."""
        waited = self._clock() - self._since
        if self._process is None:
            if self._wanted and minutes and waited > IDLE_SECONDS:
                self._wanted = False
                self._since = self._clock()
                self._process = self._start()
        elif waited > 60 * minutes or self._process.poll() is not None:
            self.end()

    def assign(self, attempt: Attempt, output: Path, gpus: str = "") -> Process | None:
        """Assign an attempt with log file `output`; return None if there is no standby process."""
        self.restart_idle_time()
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps([*attempt, str(output), gpus]).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            log.warning("The standby process had exited with status %s.", self._end(process))
            return None
        return process

    def restart_idle_time(self) -> None:
        """Count idle time from now, because a job has started or ended."""
        self._wanted, self._since = True, self._clock()

    def end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self._end(process)
