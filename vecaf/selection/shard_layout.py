"""Which shard has which rows.

Positions of the pool form blocks of equal size, and blocks go to the shards in turn. A shard
processes its rows block by block, so results don't depend on the number of shards. A batch of
consecutive positions is spread over all shards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Ids

BLOCK = 4096
"""Rows per block. Another number changes the last bits of results."""


@dataclass(frozen=True)
class Layout:
    """n rows on `count` shards."""

    n: int
    count: int
    block: int = BLOCK

    def positions(self, number: int) -> Ids:
        """Return the positions on shard `number`, ascending."""
        return np.flatnonzero(self.owner(np.arange(self.n)) == number)

    def owner(self, positions: Ids) -> Ids:
        """Return the shard of each position."""
        return positions // self.block % self.count

    def local(self, positions: Ids) -> Ids:
        """Return the row of each position within its shard."""
        return positions // self.block // self.count * self.block + positions % self.block

    def pieces(self, number: int, start: int, stop: int) -> list[tuple[slice, slice]]:
        """Return the parts of `start` to `stop` on shard `number`, at most one per block.

        Each part has two slices: its rows within the shard, and its positions minus `start`.
        """
        found = []
        for first in range(start // self.block * self.block, stop, self.block):
            if first // self.block % self.count != number:
                continue
            a, b = max(start, first), min(stop, first + self.block)
            own = first // self.block // self.count * self.block - first
            found.append((slice(a + own, b + own), slice(a - start, b - start)))
        return found

    def joined(self, parts: list[npt.NDArray[np.generic]]) -> npt.NDArray[np.generic]:
        """Join arrays with one entry per row of each shard into one in the order of positions."""
        found = np.empty((self.n, *parts[0].shape[1:]), parts[0].dtype)
        for number, part in enumerate(parts):
            found[self.positions(number)] = part
        return found
