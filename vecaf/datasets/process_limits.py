"""Limits on the processes that decode images: processor time and memory."""

from __future__ import annotations

import math
import resource
import sys
import time
from pathlib import Path

from vecaf.settings import GIB

# The most costly files that `vecaf.datasets.images.open_image` allows take 4 s and 1.9 GB.
CPU_SECONDS = 20
MEMORY_BYTES = 3 * GIB


def limit_memory(size: int) -> None:
    """Limit how many bytes this process can allocate from now on. Only Linux enforces it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + size
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def limit_processor_time(seconds: int) -> None:
    """Let SIGXCPU end this process after more processor time than `seconds`, counted from now."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(time.process_time()) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
