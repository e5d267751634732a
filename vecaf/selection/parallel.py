"""Loops over rows in several threads, for code that releases the global interpreter lock."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def slices(n: int, at_least: int) -> list[slice]:
    """Divide 0 to n − 1 into one slice per PyTorch thread, with at least `at_least` each."""
    import torch

    parts = max(1, min(torch.get_num_threads(), n // at_least))
    bounds = [n * part // parts for part in range(parts + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(bounds)]


def spread(work: Callable[[slice], None], n: int, at_least: int) -> None:
    """Call `work` on each of these slices, each in its own thread."""
    parts = slices(n, at_least)
    if len(parts) == 1:
        work(parts[0])
        return
    for _ in _threads().map(work, parts):
        pass


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="selection")
