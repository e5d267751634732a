"""Set up a child process: exit with its worker, run at low priority, be killed first."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from queue import SimpleQueue

from vecaf.store.jobs import Kind

NICENESS: dict[Kind, int] = {
    "run": 5,  # keeps pages responsive while a run uses all cores
    "import": 5,
    "task": 0,  # a user waits for it
}


def exit_with_worker() -> SimpleQueue[bytes]:
    """Kill this process group when the worker exits, which closes our standard input.

    Returns
    -------
    A queue that receives the lines that the worker writes.
    """
    lines: SimpleQueue[bytes] = SimpleQueue()

    def read() -> None:
        incomplete = b""
        while piece := os.read(sys.stdin.fileno(), 4096):
            *complete, incomplete = (incomplete + piece).split(b"\n")
            for line in complete:
                lines.put(line)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=read, daemon=True, name="worker-watch").start()
    return lines


def lower_priority(kind: Kind) -> None:
    """Lower the priority of this process according to the kind of job."""
    os.nice(NICENESS[kind])


def be_killed_first() -> None:
    """Make Linux kill this process first when memory runs out."""
    adjustment = Path("/proc/self/oom_score_adj")
    if adjustment.exists():
        adjustment.write_text("500")
