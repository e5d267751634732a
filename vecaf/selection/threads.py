"""One loop over rows on as many threads as PyTorch uses; for code that releases the lock."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def spread(work: Callable[[slice], None], n: int, at_least: int) -> None:
    """Call `work` on consecutive slices that make up 0 … n − 1, of `at_least` rows if so many."""
    import torch

    parts = max(1, min(torch.get_num_threads(), n // at_least))
    if parts == 1:
        work(slice(0, n))
        return
    bounds = [n * part // parts for part in range(parts + 1)]
    slices = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    for _ in _threads().map(work, slices):
        pass


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="selection")
