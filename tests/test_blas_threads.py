"""How many threads NumPy and SciPy use."""

from __future__ import annotations

import numpy as np
from scipy import linalg
from threadpoolctl import threadpool_info, threadpool_limits

from vecaf.arrays.blas_threads import limit_blas_threads, single_blas_thread


def threads() -> set[int]:
    linalg.solve(np.eye(2), np.ones(2))  # loads the library of SciPy
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_a_limit_stays_and_a_context_ends() -> None:
    before = threads()
    with threadpool_limits(None):  # restores the limits of before
        limit_blas_threads(2)
        with single_blas_thread():
            assert threads() == {1}
        assert threads() == {2}
        limit_blas_threads(1)
        assert threads() == {1}
    assert threads() == before
