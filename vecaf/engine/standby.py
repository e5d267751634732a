"""A child process that has loaded the libraries before there is a job for it.

Imports take longer than a small selection. While a worker has nothing else to do, it starts a
standby process; the next run or task is given to that one, and another is started when the worker
is idle again. A standby process that nobody needs ends after `Settings.standby_minutes`, and
the next one is started after the next job.
"""

from __future__ import annotations

import json
import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from vecaf.store.jobs import Kind

IDLE_SECONDS = 6.0  # without a job, before a standby process starts: pages load first

Process = subprocess.Popen[bytes]
Assignment = tuple[Kind, int, int]
"""A job's kind and id, and the number of the attempt."""

log = logging.getLogger(__name__)


class Standby:
    """The standby process of one worker. The caller makes sure that calls don't overlap."""

    def __init__(
        self,
        start: Callable[[], Process],
        end: Callable[[Process], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`start` starts a process, `end` kills it and what belongs to it."""
        self._start, self._end, self._clock = start, end, clock
        self._process: Process | None = None
        self._wanted = True
        self._since = self._clock()  # of being idle, or of the process's start

    def tend(self, minutes: int) -> None:
        """Start or end the process when it is time; called repeatedly while idle."""
        waited = self._clock() - self._since
        if self._process is None:
            if self._wanted and minutes and waited > IDLE_SECONDS:
                self._wanted = False
                self._since = self._clock()
                self._process = self._start()
        elif waited > 60 * minutes or self._process.poll() is not None:
            self.end()

    def take(self, assignment: Assignment, output: Path) -> Process | None:
        """Give the process a job; None where there is no process. `output`: the job's log."""
        self.worked()
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps([*assignment, str(output)]).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            log.warning("the standby process had ended with status %s", self._end(process))
            return None
        return process

    def worked(self) -> None:
        """A job has begun or ended, so others may follow."""
        self._wanted, self._since = True, self._clock()

    def end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self._end(process)
