"""The connection of a job's process to the Ray cluster that runs it."""

from __future__ import annotations


def connect(*, log_to_driver: bool = False) -> None:
    """Connect to the cluster of this node, unless this process is connected.

    Parameters
    ----------
    log_to_driver
        Whether the output of the processes that this one starts appears in its output.

    Raises
    ------
    ConnectionError
        No cluster runs on this node.
    """
    import ray

    if not ray.is_initialized():
        ray.init(address="auto", log_to_driver=log_to_driver)
