"""Shards in this process: the form of one machine, and the reference for those of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from vecaf.arrays import Ids
from vecaf.selection.shard import Shard
from vecaf.selection.shard_layout import BLOCK, Layout
from vecaf.selection.stored_rows import shard_rows


class LocalShards:
    """See `sharded_rows.Shards`."""

    def __init__(self, shards: list[Shard], layout: Layout, width: int) -> None:
        self.layout = layout
        self.width = width
        self._shards = shards

    def call(self, method: str, *arguments: Any) -> list[Any]:
        return [getattr(shard, method)(*arguments) for shard in self._shards]

    def close(self) -> None:
        self._shards = []


@dataclass(frozen=True)
class LocalSharding:
    """Creates `count` shards in this process; see `sharded_rows.Sharding`."""

    count: int = 1
    block: int = BLOCK

    def __call__(self, rows: npt.NDArray[Any], order: Ids) -> LocalShards:
        layout = Layout(len(order), self.count, self.block)
        shards = [
            Shard(shard_rows(rows, order[layout.positions(number)]), number, layout)
            for number in range(self.count)
        ]
        return LocalShards(shards, layout, rows.shape[1])
