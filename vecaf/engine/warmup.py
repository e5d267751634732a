"""What a standby process does before it gets a job: import the libraries that most jobs need."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from queue import SimpleQueue

from vecaf.encoders.openvino_import import load_openvino
from vecaf.engine.gpus import OWN_GPUS


def wait_for_assignment(lines: SimpleQueue[bytes]) -> list[str]:
    """Import libraries until a line assigns a job; return the command-line arguments of that job.

    From then on, the output of this process goes to the log of the job.
    """
    for load in STEPS:
        if not lines.empty():
            break
        load()
    kind, job_id, attempt, output, os.environ[OWN_GPUS] = json.loads(lines.get())
    log = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    os.close(log)
    return [kind, str(job_id), str(attempt)]


def _module(name: str) -> Callable[[], object]:
    return lambda: import_module(name)


def _select() -> None:
    """Select from a few rows, which loads compiled loops from Numba's cache."""
    import numpy as np

    import vecaf

    rows = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    vecaf.select(rows, 4, "vecaf")


STEPS: tuple[Callable[[], object], ...] = (
    _module("torch"),
    _module("vecaf.runs.selection_only"),
    _select,
    _module("vecaf.tasks"),
    _module("timm"),
    load_openvino,
    _module("umap"),
)
"""Those that most jobs need come first."""
