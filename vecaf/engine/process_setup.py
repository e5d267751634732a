"""How a child process behaves beside its worker and the rest of the machine."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from queue import SimpleQueue

from vecaf.store.jobs import Kind

NICENESS: dict[Kind, int] = {
    "run": 5,  # pages stay quick while one uses every core
    "import": 5,
    "task": 0,  # somebody waits for it
}


def die_with_worker() -> SimpleQueue[bytes]:
    """End this process group at once when the worker is gone: it holds our standard input open.

    The returned queue receives the lines that the worker writes until then.
    """
    lines: SimpleQueue[bytes] = SimpleQueue()

    def wait() -> None:
        held = b""
        while piece := os.read(sys.stdin.fileno(), 4096):
            *whole, held = (held + piece).split(b"\n")
            for line in whole:
                lines.put(line)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True, name="worker-watch").start()
    return lines


def be_modest(kind: Kind) -> None:
    """Lower this process's priority as a job of this kind requires."""
    os.nice(NICENESS[kind])


def go_first() -> None:
    """Let the system end this process first when memory runs out (Linux)."""
    adjustment = Path("/proc/self/oom_score_adj")
    if adjustment.exists():
        adjustment.write_text("500")
