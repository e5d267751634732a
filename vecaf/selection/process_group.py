"""Several processes that make one selection together.

All of them run the same program on the same arrays with the same seed. Each processes its part of
the rows, and sums are shared. The result equals that of a single process, except that sums are
rounded in another order.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy.typing as npt


class ProcessGroup(Protocol):
    """This process, `number` of `count`, in a group that makes one selection."""

    @property
    def number(self) -> int: ...
    @property
    def count(self) -> int: ...
    def sum(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the sum of the processes' arrays, which have one shape. All must call it."""


class SingleProcess:
    """A group of one process."""

    number, count = 0, 1

    def sum(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array


SINGLE = SingleProcess()
