"""The engine of one machine: it runs each attempt in a child process of the worker.

It executes one import, one other task and one run at the same time; with several GPUs, as many runs
as the GPUs allow, side by side.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import vecaf
from vecaf.allocation import with_fast_allocation
from vecaf.engine.exits import describe_exit
from vecaf.engine.gpus import OWN_GPUS, visible_gpus
from vecaf.engine.paths import log_of
from vecaf.engine.protocol import Attempt, Resources, Running, Status
from vecaf.engine.standby import Standby
from vecaf.errors import UnavailableError
from vecaf.settings import Settings
from vecaf.store.jobs import IN_QUEUE, Kind
from vecaf.wording import plural

COMMAND = [sys.executable, "-m", "vecaf.engine.child"]

logger = logging.getLogger(__name__)


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    gpus: tuple[str, ...]
    kill_at: float | None = None  # time.monotonic() at which a stopping process is killed


class LocalEngine:
    """Runs attempts as child processes, which exit with this process."""

    keeps_jobs = False
    poll_seconds = 0.2

    def __init__(self, settings: Settings) -> None:
        """Raises UnavailableError if a run needs more GPUs than this machine has."""
        self._settings = settings
        self._gpus = visible_gpus() if settings.device in ("auto", "cuda") else []
        if 0 < len(self._gpus) < settings.processes:
            raise UnavailableError(
                f"Each run trains with {settings.processes} processes (VECAF_PROCESSES), but this "
                f"machine has only {plural(len(self._gpus), 'GPU')}. Set VECAF_PROCESSES to at "
                f"most {len(self._gpus)}, or set VECAF_DEVICE=cpu."
            )
        self._children: dict[Attempt, _Child] = {}
        self._standby = Standby(lambda: self._spawn([], (), subprocess.DEVNULL), _reap)

    def refresh(self) -> None:
        """Kill the children that did not stop in time."""
        for child in self._children.values():
            if child.kill_at is not None and time.monotonic() > child.kill_at:
                _kill_group(child.process)

    def live(self) -> set[Attempt]:
        return set(self._children)

    def obstacle(self, kind: Kind, resources: Resources) -> str | None:
        running = sum(attempt.kind == kind for attempt in self._children)
        slots = 1
        if kind == "run":
            slots = max(1, len(self._gpus) // self._settings.processes)
        return IN_QUEUE if running >= slots else None

    def start(self, attempt: Attempt, resources: Resources, *, prepared: bool) -> None:
        if attempt in self._children:
            return
        log = log_of(self._settings, attempt.kind, attempt.job_id)
        log.parent.mkdir(parents=True, exist_ok=True)
        gpus = self._choose_gpus(attempt.kind)
        with log.open("ab") as output:
            process = None
            if prepared:
                process = self._standby.assign(attempt, log, ",".join(gpus))
            if process is None:
                words = [attempt.kind, str(attempt.job_id), str(attempt.number)]
                process = self._spawn(words, gpus, output)
        self._children[attempt] = _Child(process, gpus)

    def status(self, attempt: Attempt) -> Status:
        child = self._children[attempt]
        if not _exited(child.process):
            several = len(self._gpus) > 1 and attempt.kind == "run"
            return Running(f"GPU {', '.join(child.gpus)}" if several else None)
        log = log_of(self._settings, attempt.kind, attempt.job_id)
        where = f"{log.relative_to(self._settings.home)} in the data folder"
        return describe_exit(_reap(child.process), where)

    def stop(self, attempt: Attempt, grace: float) -> None:
        child = self._children[attempt]
        if not _exited(child.process):
            os.kill(child.process.pid, signal.SIGTERM)
        child.kill_at = time.monotonic() + grace

    def forget(self, attempt: Attempt) -> None:
        _reap(self._children.pop(attempt).process)
        self._standby.restart_idle_time()

    def idle(self) -> None:
        """Start or end the standby process (`vecaf.engine.standby`)."""
        if any(attempt.kind != "run" for attempt in self._children):
            return
        try:
            self._standby.update(self._settings.standby_minutes)
        except OSError as error:  # no memory; jobs start their own processes
            logger.warning("Could not start a standby process: %s", error.strerror)

    def close(self) -> None:
        self._standby.end()
        for child in self._children.values():
            _kill_group(child.process)

    def _choose_gpus(self, kind: Kind) -> tuple[str, ...]:
        """Return GPUs that no other run uses; a task shares one if there is no free one."""
        runs = Counter(gpu for attempt, child in self._children.items()
                       for gpu in child.gpus if attempt.kind == "run")  # fmt: skip
        tasks = Counter(gpu for child in self._children.values() for gpu in child.gpus)
        least_used = sorted(self._gpus, key=lambda gpu: (runs[gpu], tasks[gpu]))
        count = {"run": self._settings.processes, "import": 0, "task": 1}[kind]
        return tuple(least_used[:count])

    def _spawn(
        self, arguments: list[str], gpus: tuple[str, ...], output: BinaryIO | int
    ) -> subprocess.Popen[bytes]:
        root = str(Path(vecaf.__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        own = {"PYTHONPATH": path, OWN_GPUS: ",".join(gpus)}
        return subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.PIPE,  # its end of file tells the child that the worker exited
            stdout=output,
            stderr=output,
            env=with_fast_allocation(os.environ | self._settings.as_environment() | own),
            start_new_session=True,
        )


def _exited(process: subprocess.Popen[bytes]) -> bool:
    """Return whether the child has exited. Does not reap it, so that its group keeps its id."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _reap(process: subprocess.Popen[bytes]) -> int:
    """Kill the rest of the child's process group, and return the exit status of the child."""
    _kill_group(process)
    status = process.wait()
    if process.stdin is not None:
        process.stdin.close()
    return status


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the child's process group, unless the child was reaped and its id may be reused."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
