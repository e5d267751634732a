"""Protection of PyTorch's thread count from Numba."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits


def preserve_thread_count() -> AbstractContextManager[object]:
    """Return a context manager that restores the number of OpenMP threads on exit.

    Numba sets the number of OpenMP threads to the number of cores and leaves it that way. PyTorch
    shares these threads. With another number of threads it adds numbers in another order, so the
    last bits of later results would change.
    """
    limits: AbstractContextManager[object] = threadpool_limits()
    return limits
