"""What a standby process does before it is given a job: it loads what most jobs need."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from queue import SimpleQueue


def assigned(lines: SimpleQueue[bytes]) -> list[str]:
    """Load libraries until the first line arrives; return the arguments of the job that it assigns.

    What this process prints from then on goes into the job's log.
    """
    for load in STEPS:
        if not lines.empty():
            break
        load()
    kind, job_id, attempt, output = json.loads(lines.get())
    log = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    os.close(log)
    return [kind, str(job_id), str(attempt)]


def _module(name: str) -> Callable[[], object]:
    return lambda: import_module(name)


def _select() -> None:
    """Select among a few rows, which reads compiled loops from Numba's cache."""
    import numpy as np

    import vecaf

    rows = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    vecaf.select(rows, 4, "vecaf")


STEPS: tuple[Callable[[], object], ...] = (
    _module("torch"),
    _module("vecaf.runs.select_now"),
    _select,
    _module("vecaf.tasks"),
    _module("timm"),
    _module("openvino"),
    _module("umap"),
)
"""In the order of how many jobs need them."""
