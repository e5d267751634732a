"""Whether a job fits on the nodes of a cluster, now or at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vecaf.engine.protocol import Resources
from vecaf.settings import GIB

MAX_PENDING = 4
"""Submitted jobs that wait for a node. Further ones stay in the queue, which keeps its order."""


class Node(Protocol):
    """A node of the cluster."""

    resources_total: dict[str, float]


def trimmed(wanted: Resources, nodes: Sequence[Node]) -> Resources:
    """Return `wanted`, but no more than the largest node has, and no GPU if no node has one."""
    most = _Room.largest(nodes)
    return Resources(
        cpus=min(wanted.cpus, most.cpus),
        gpus=wanted.gpus if most.gpus else 0,
        memory=int(min(wanted.memory, most.memory)),
    )


def obstacle(
    wanted: Resources,
    on_one_node: Resources,
    nodes: Sequence[Node],
    asked: Sequence[Resources],
    pending: int,
    *,
    autoscaling: bool = False,
) -> str | None:
    """Return why a job can't start now, or None if it can.

    Parameters
    ----------
    wanted
        What the job requests.
    on_one_node
        The part of it that one node must have.
    asked
        What the studio's other jobs on the cluster requested.
    pending
        How many of them wait for a node.
    autoscaling
        Whether an autoscaler starts nodes for jobs that wait. It must see them, so they start.
    """
    if not nodes:
        return "waiting for the cluster, which has no nodes"
    if not autoscaling:
        if not any(_Room.of(node).has(on_one_node) for node in nodes):
            return f"waiting for a node with {_words(on_one_node)}; no node has these resources"
        if not _Room.total(nodes, asked).has(wanted):
            return f"waiting for {_words(wanted)} on the cluster"
    if pending >= MAX_PENDING:
        return "waiting for a free node of the cluster"
    return None


class _Room(Resources):
    """Resources of nodes."""

    @classmethod
    def of(cls, node: Node) -> _Room:
        total = node.resources_total
        return cls(total.get("CPU", 0), total.get("GPU", 0), int(total.get("memory", 0)))

    @classmethod
    def largest(cls, nodes: Sequence[Node]) -> _Room:
        rooms = [cls.of(node) for node in nodes] or [cls()]
        return cls(
            max(room.cpus for room in rooms),
            max(room.gpus for room in rooms),
            max(room.memory for room in rooms),
        )

    @classmethod
    def total(cls, nodes: Sequence[Node], asked: Sequence[Resources]) -> _Room:
        rooms = [cls.of(node) for node in nodes]
        return cls(
            sum(room.cpus for room in rooms) - sum(one.cpus for one in asked),
            sum(room.gpus for room in rooms) - sum(one.gpus for one in asked),
            sum(room.memory for room in rooms) - sum(one.memory for one in asked),
        )

    def has(self, wanted: Resources) -> bool:
        return (
            self.cpus >= wanted.cpus and self.gpus >= wanted.gpus and self.memory >= wanted.memory
        )


def _words(wanted: Resources) -> str:
    parts = [f"{wanted.cpus:g} CPUs"]
    if wanted.gpus:
        parts.append(f"{wanted.gpus:g} GPU{'s' if wanted.gpus != 1 else ''}")
    if wanted.memory:
        parts.append(f"{wanted.memory / GIB:.1f} GiB")
    return ", ".join(parts)
