"""How many threads compute the matrix products of NumPy and SciPy."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


def single_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which NumPy and SciPy multiply matrices on one thread.

    OpenBLAS threads wait for each other by spinning. For small products, and on busy cores, two
    threads take 10 to 20 times as long as one.
    """
    limited: AbstractContextManager[object] = _libraries().limit(limits=1)
    return limited


def limit_blas_threads(count: int) -> None:
    """Let NumPy and SciPy multiply matrices on at most `count` threads from now on."""
    _libraries().limit(limits=count)


@cache
def _libraries() -> ThreadpoolController:
    """Find the BLAS libraries of this process. The search takes 5 ms, longer than a small fit."""
    from scipy import linalg  # noqa: F401  # has a BLAS library of its own

    return ThreadpoolController().select(user_api="blas")
