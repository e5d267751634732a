"""One selection shared by several processes: each looks at its part of the rows, sums are shared.

All run the same program on the same arrays with the same seed, so what is not shared is done by
each. Picks are those of one process, but for sums that are rounded in another order.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy.typing as npt


class Split(Protocol):
    """This process's `number` among `count` that make the same selection."""

    @property
    def number(self) -> int: ...
    @property
    def count(self) -> int: ...
    def sum(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The sum of the processes' arrays, of one shape; each of them must ask for it."""


class Whole:
    """One process, which does everything."""

    number, count = 0, 1

    def sum(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array


WHOLE = Whole()
