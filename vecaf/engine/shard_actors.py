"""Feature shards as Ray actors, so that a selection can use the memory and cores of a cluster."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Ids
from vecaf.engine.attempt import LostProcessError
from vecaf.engine.ray_connection import connect
from vecaf.selection import LocalSharding
from vecaf.selection.shard import Shard
from vecaf.selection.shard_layout import BLOCK, Layout
from vecaf.selection.sharded_rows import Sharding, Shards
from vecaf.selection.stored_rows import shard_rows
from vecaf.settings import Settings

ROWS_PER_ACTOR = 250_000
"""At least: starting an actor takes seconds, and it computes for minutes."""
START_SECONDS = 60.0

logger = logging.getLogger(__name__)


class ShardActor:
    """A `Shard` in a process of its own."""

    def __init__(self, rows: npt.NDArray[np.float16], number: int, layout: Layout) -> None:
        # A copy, because arguments stay in Ray's object store as long as they are used.
        self._shard = Shard(np.array(rows), number, layout)

    def call(self, method: str, arguments: tuple[Any, ...]) -> Any:
        """Call a method of the shard."""
        return getattr(self._shard, method)(*map(_writable, arguments))


class ActorShards:
    """See `vecaf.selection.sharded_rows.Shards`."""

    def __init__(self, actors: list[Any], layout: Layout, width: int) -> None:
        self.layout = layout
        self.width = width
        self._actors = actors

    def call(self, method: str, *arguments: Any) -> list[Any]:
        """Call a method of every shard with the same arguments; return the results in order.

        Raises
        ------
        LostProcessError
            The process or the node of a shard died.
        """
        import ray

        stored = ray.put(arguments)  # once for all actors of a node
        try:
            return ray.get([actor.call.remote(method, stored) for actor in self._actors])
        except ray.exceptions.RayActorError as error:
            raise LostProcessError(
                "The selection lost a part of the features, because a process or a node of the "
                "cluster died. Select again."
            ) from error

    def ready(self, seconds: float) -> bool:
        """Return whether all actors have started after at most `seconds`."""
        import ray

        started = [actor.__ray_ready__.remote() for actor in self._actors]
        return len(ray.wait(started, num_returns=len(started), timeout=seconds)[0]) == len(started)

    def close(self) -> None:
        import ray

        for actor in self._actors:
            ray.kill(actor)


@dataclass(frozen=True)
class RaySharding:
    """Creates `count` actors, on as many nodes as possible; see `sharded_rows.Sharding`.

    Ray must be connected. Each actor reserves a CPU and the memory of its rows.
    """

    count: int
    block: int = BLOCK

    def __call__(self, rows: npt.NDArray[Any], order: Ids) -> ActorShards:
        import ray

        layout = Layout(len(order), self.count, self.block)
        actor = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(ShardActor)
        # One shard at a time is in the memory of this process.
        actors = [
            actor.options(memory=len(positions) * rows.shape[1] * 2).remote(
                shard_rows(rows, order[positions]), number, layout
            )
            for number, positions in enumerate(map(layout.positions, range(self.count)))
        ]
        return ActorShards(actors, layout, rows.shape[1])


@dataclass(frozen=True)
class ClusterSharding:
    """Uses the free CPUs of the cluster that runs this job; see `sharded_rows.Sharding`.

    It creates an actor per `rows_per_actor` rows, or fewer if fewer CPUs are free. If the cluster
    has no room for two, the only shard is in this process. The selection is the same.
    """

    rows_per_actor: int = ROWS_PER_ACTOR
    block: int = BLOCK

    def __call__(self, rows: npt.NDArray[Any], order: Ids) -> Shards:
        import ray

        connect()
        free = int(ray.available_resources().get("CPU", 0))
        count = min(free, math.ceil(len(order) / self.rows_per_actor))
        if count > 1:
            shards = RaySharding(count, self.block)(rows, order)
            if shards.ready(START_SECONDS):
                logger.info("Selecting with %d processes on the cluster.", count)
                return shards
            shards.close()
        return LocalSharding(1, self.block)(rows, order)


def sharding_for(settings: Settings) -> Sharding:
    """Return where the jobs of an engine store the features of a large pool."""
    return ClusterSharding() if settings.engine == "ray" else LocalSharding()


def _writable(argument: Any) -> Any:
    """Copy an array of the object store, which is read-only: PyTorch rejects those."""
    return np.array(argument) if isinstance(argument, np.ndarray) else argument
