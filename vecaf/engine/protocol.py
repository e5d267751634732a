"""What an engine is: it executes attempts at jobs, each in a process of its own.

The database owns the order of the queue, cancellations and attempt numbers; the dispatcher
(`vecaf.engine.dispatcher`) reads and writes them. An engine owns placement, GPUs and processes:
`local` (`vecaf.engine.local`) on this machine, `ray` (`vecaf.engine.ray_engine`) on a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from vecaf.store.jobs import Kind


class Attempt(NamedTuple):
    """One attempt at a job."""

    kind: Kind
    job_id: int
    number: int


@dataclass(frozen=True)
class Resources:
    """What a job needs. Memory is in bytes; 0 = unspecified."""

    cpus: float = 0
    gpus: float = 0
    memory: int = 0


@dataclass(frozen=True)
class Waiting:
    """The engine has accepted the attempt, but its process has not started."""

    reason: str


@dataclass(frozen=True)
class Running:
    """The process of the attempt is running. `node` says where; None = on the only machine."""

    node: str | None = None


@dataclass(frozen=True)
class Exited:
    """The process of the attempt has exited.

    `problem` is a sentence for users. It matters only if the process recorded no end of the job.
    `crashed` is whether the job may be the cause: after a few crashes, the job fails.
    """

    problem: str
    crashed: bool = True


Status = Waiting | Running | Exited


class Engine(Protocol):
    """Executes attempts. Only the dispatcher calls it, from one thread.

    Every method except `close` raises UnavailableError while the engine can't be reached.
    """

    keeps_jobs: bool
    """Whether jobs continue when the worker stops, so that the next worker adopts them."""

    poll_seconds: float
    """The pause between two steps of the dispatcher while jobs run."""

    def refresh(self) -> None:
        """Read the state of the engine once; the other methods use it. Called before each step."""

    def live(self) -> set[Attempt]:
        """Return the attempts of this data folder that the engine knows, also if they exited."""

    def obstacle(self, kind: Kind, resources: Resources) -> str | None:
        """Return why a job can't start now, or None if it can."""

    def start(self, attempt: Attempt, resources: Resources, *, prepared: bool) -> None:
        """Start the process of an attempt. Do nothing if this attempt was started before.

        `prepared` is whether the attempt may use what `idle` has prepared.

        Raises OSError if the process can't start, for example because the disk is full.
        """

    def status(self, attempt: Attempt) -> Status:
        """Return the state of an attempt that was started."""

    def stop(self, attempt: Attempt, grace: float) -> None:
        """Ask the process to stop, and kill it after `grace` seconds. Returns at once."""

    def forget(self, attempt: Attempt) -> None:
        """Release what is kept of an attempt that exited, because its end has been recorded."""

    def idle(self) -> None:
        """Do what can be prepared for the next job. Called while there is no job to start."""

    def close(self) -> None:
        """End everything that does not outlive the worker, at once."""
