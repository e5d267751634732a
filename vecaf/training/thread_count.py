"""As many threads as a step is worth: small ones wait for each other longer than they work."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from threadpoolctl import threadpool_limits

WORTH_THREADS = 10_000_000  # multiplications; measured with 2 threads, 7 and 13 million are level


def threads_for(multiplications: int) -> AbstractContextManager[object]:
    """While the block runs, PyTorch in this thread works alone if its steps are of so few
    `multiplications`. 64 rows of 1280 numbers under 10 classes take half as long then, where
    waiting threads sleep; the result no longer depends on how many there are."""
    if multiplications >= WORTH_THREADS:
        return nullcontext()
    alone: AbstractContextManager[object] = threadpool_limits(1, "openmp")
    return alone
