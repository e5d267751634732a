"""Numba's thread pool without its side effect on PyTorch."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits


def threads_kept() -> AbstractContextManager[object]:
    """Around a call that starts Numba's threads: afterwards OpenMP has as many as before.

    Numba asks OpenMP, which PyTorch uses, too, for as many threads as there are cores, for good.
    PyTorch's sums then part their rows otherwise, and what is computed later in this thread differs
    in its last bits from what was computed before.
    """
    kept: AbstractContextManager[object] = threadpool_limits()
    return kept
