"""Describe how the process of a job exited, for users."""

from __future__ import annotations

import signal

from vecaf.engine.attempt import LOST_PROCESS_STATUS, NO_DATABASE_STATUS, NO_HOME_STATUS
from vecaf.engine.protocol import Exited


def describe_exit(status: int, log: str) -> Exited:
    """Describe the exit of a process that recorded no end of its job.

    Parameters
    ----------
    status
        The exit status; a negative status is a signal.
    log
        Where the log of the job is.
    """
    if status == -signal.SIGKILL:
        return Exited(
            "The operating system killed the process, most likely because memory ran out. "
            "Try a smaller batch size, image size, or model."
        )
    if status == LOST_PROCESS_STATUS:
        return Exited(f"One of the run's processes exited. See the log: {log}.")
    if status == NO_DATABASE_STATUS:  # not caused by the job
        return Exited("The database could not be reached.", crashed=False)
    if status == NO_HOME_STATUS:
        return Exited(
            "A node of the cluster does not have the data folder. All nodes must share it, at the "
            "same path. To find the node, run: python -m vecaf doctor"
        )
    if status < 0:
        name = signal.Signals(-status).name
        return Exited(f"The process was killed by {name}. See the log: {log}.")
    return Exited(f"The process exited unexpectedly with status {status}. See the log: {log}.")
