"""A small Ray cluster on this machine, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MEMORY = 100 * 2**20  # of the object store of a node, in bytes
SECONDS = 120  # for the last block of a canceled embedding


@contextmanager
def ray_nodes(count: int, cpus: int) -> Iterator[Any]:
    """Start a head and `count` − 1 other nodes with `cpus` logical CPUs each, and connect to them.

    Yields the `ray.cluster_utils.Cluster`. Other nodes are in `cluster.worker_nodes`.
    """
    import os

    import pytest

    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # at 15, they starve on a busy machine
    arguments: dict[str, Any] = {"num_cpus": cpus, "object_store_memory": MEMORY}
    cluster: Any = Cluster(
        initialize_head=True, head_node_args={**arguments, "include_dashboard": False}
    )
    try:
        for _ in range(count - 1):
            cluster.add_node(**arguments)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield cluster
    finally:
        _wait_for_ray_data()
        ray.shutdown()
        cluster.shutdown()


def _wait_for_ray_data() -> None:
    """Wait until canceled embeddings have ended. Their threads would connect to the cluster again,
    and Ray ends a process whose cluster goes away.
    """
    for thread in threading.enumerate():
        if thread.name.startswith(("StreamingExecutor", "cluster-embedding")):
            thread.join(SECONDS)
