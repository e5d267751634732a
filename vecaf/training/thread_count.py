"""How many threads compute a training step."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from threadpoolctl import threadpool_limits

MULTITHREADED = 10_000_000  # multiplications; two threads break even at 7 to 13 million


def threads_for(multiplications: int) -> AbstractContextManager[object]:
    """Return a context in which small training steps run on one thread.

    Threads wait for each other longer than they work in a small step. With 64 rows, 1,280 features
    and 10 classes, one thread takes half the time. The result of small steps then doesn't depend on
    the number of threads either.

    Parameters
    ----------
    multiplications
        Of one step. From `MULTITHREADED` on, PyTorch uses all threads.
    """
    if multiplications >= MULTITHREADED:
        return nullcontext()
    single: AbstractContextManager[object] = threadpool_limits(1, "openmp")
    return single
