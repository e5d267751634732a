"""The engine of a Ray cluster: each attempt is a job of its Jobs API.

Ray places the jobs and watches their processes. A submission id names the attempt, so that no
attempt is submitted twice, and the metadata name the data folder, so that several can share a
cluster. Jobs continue while no worker runs, and the next worker adopts them.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import cast

from ray.job_submission import JobDetails, JobStatus
from ray.util.state.common import NodeState

import vecaf
from vecaf.engine.exits import describe_exit
from vecaf.engine.paths import log_of, settings_file
from vecaf.engine.protocol import Attempt, Exited, Resources, Running, Status, Waiting
from vecaf.engine.ray_client import RayClient, cluster_address, is_loopback
from vecaf.engine.ray_placement import obstacle, trimmed
from vecaf.errors import InputError
from vecaf.files import write_bytes
from vecaf.settings import Settings
from vecaf.store.home import read_home_id
from vecaf.store.jobs import Kind

HOME, ATTEMPT, ASKED = "vecaf_home", "vecaf_attempt", "vecaf_asked"  # metadata of a job
STOP_SECONDS = 7  # from SIGTERM to SIGKILL; writing a checkpoint takes time
ENVIRONMENT = {
    "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS),
    "RAY_USAGE_STATS_ENABLED": "0",
    # The first of several processes of a run asks for no GPU, but finds out whether there are any.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
NODES_SECONDS = 5.0  # how often the nodes are listed
LOST_REASONS = {
    "JOB_SUPERVISOR_ACTOR_START_TIMEOUT": "No node of the cluster had room for the job in time.",
    "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE": "No node of the cluster could take the job.",
    "JOB_SUPERVISOR_ACTOR_START_FAILURE": "The node of the job was lost before the job started.",
    "JOB_SUPERVISOR_ACTOR_DIED": "The node of the job was lost.",
    "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE": "The node of the job was lost.",
}

logger = logging.getLogger(__name__)


class RayEngine:
    """Runs attempts as jobs of a Ray cluster."""

    keeps_jobs = True
    poll_seconds = 1.0  # each step asks the head node for all jobs

    def __init__(self, settings: Settings) -> None:
        """Check the settings; the first `refresh` connects. Raises InputError."""
        self._settings = settings
        self._address = cluster_address()
        if settings.database_url.startswith("sqlite") and not is_loopback(self._address):
            raise InputError(
                "SQLite supports only one machine, but VECAF_ENGINE is ray. Set DATABASE_URL to a "
                "PostgreSQL database that all nodes of the cluster can reach."
            )
        self._home = read_home_id(settings) or ""
        self._client: RayClient | None = None
        self._jobs: dict[Attempt, JobDetails] = {}
        self._forgotten: set[Attempt] = set()
        self._nodes: list[NodeState] = []
        self._nodes_at = 0.0

    @property
    def client(self) -> RayClient:
        """The connection to the cluster. Raises UnavailableError."""
        if self._client is None:
            self._client = RayClient(self._address)
            environment = self._settings.as_environment() | {"VECAF_ENGINE": "ray"}
            path = settings_file(self._settings.home)
            write_bytes(path, json.dumps(environment).encode())  # a temporary file's mode is 600
        return self._client

    def refresh(self) -> None:
        self._jobs = {
            attempt: job for job in self.client.jobs() if (attempt := self._attempt_of(job))
        }
        for attempt in self._forgotten & set(self._jobs):
            if self._jobs[attempt].status.is_terminal():
                self.client.delete(self._id(attempt))
        self._forgotten &= set(self._jobs)
        if time.monotonic() - self._nodes_at > NODES_SECONDS or not self._nodes:
            self._nodes, self._nodes_at = self.client.nodes(), time.monotonic()

    def live(self) -> set[Attempt]:
        return set(self._jobs) - self._forgotten

    def obstacle(self, kind: Kind, resources: Resources) -> str | None:
        running = [job for job in self._jobs.values() if not job.status.is_terminal()]
        pending = sum(job.status == JobStatus.PENDING for job in running)
        wanted = self._request(resources)
        asked = [Resources(**json.loads((job.metadata or {})[ASKED])) for job in running]
        return obstacle(
            wanted, self._for_entrypoint(kind, wanted), self._nodes, asked, pending,
            autoscaling=self._settings.autoscaling,
        )  # fmt: skip

    def start(self, attempt: Attempt, resources: Resources, *, prepared: bool) -> None:
        asked = self._request(resources)
        entrypoint = self._for_entrypoint(attempt.kind, asked)
        self.client.submit(
            self._id(attempt),
            python_command(
                ["vecaf.engine.ray_child", str(self._settings.home), self._home, *map(str, attempt)]
            ),
            metadata={
                HOME: self._home,
                ATTEMPT: " ".join(map(str, attempt)),
                ASKED: json.dumps(asdict(asked)),
            },
            runtime_env={"env_vars": ENVIRONMENT},
            entrypoint_num_cpus=entrypoint.cpus,
            entrypoint_num_gpus=entrypoint.gpus,
            entrypoint_memory=entrypoint.memory or None,
        )

    def status(self, attempt: Attempt) -> Status:
        job = self._jobs.get(attempt)
        if job is None:  # the head node was restarted
            return Exited("The cluster has lost the process.", crashed=False)
        if job.status == JobStatus.PENDING:
            if attempt in self._forgotten:
                return Exited("The job was stopped before it started.", crashed=False)
            return Waiting("waiting for a free node of the cluster")
        if job.status == JobStatus.RUNNING:
            return Running(self._node_name(job.driver_node_id))
        return self._ending(attempt, job)

    def stop(self, attempt: Attempt, grace: float) -> None:
        """Ask the process to stop; Ray kills it after STOP_SECONDS.

        A job that waits for a node stops only after it got one. Its attempt counts as ended.
        """
        job = self._jobs.get(attempt)
        if job is None or job.status.is_terminal():
            return
        if job.status == JobStatus.PENDING:
            self._forgotten.add(attempt)
        self.client.stop(self._id(attempt))

    def forget(self, attempt: Attempt) -> None:
        self._forgotten.add(attempt)

    def idle(self) -> None:
        """Do nothing: a cluster prepares no processes."""

    def close(self) -> None:
        """Do nothing: the jobs continue."""

    def _attempt_of(self, job: JobDetails) -> Attempt | None:
        """Return the attempt of a job, or None if it is not a job of this data folder."""
        metadata = job.metadata or {}
        if metadata.get(HOME) != self._home:
            return None
        kind, job_id, number = metadata[ATTEMPT].split()
        return Attempt(cast(Kind, kind), int(job_id), int(number))

    def _request(self, resources: Resources) -> Resources:
        """Return what a job requests: no more than a node has, unless the cluster grows."""
        if self._settings.autoscaling:
            return resources
        return trimmed(resources, self._nodes)

    def _for_entrypoint(self, kind: Kind, asked: Resources) -> Resources:
        """Return what the first process of a job requests.

        If several processes train a run, Ray Train requests the rest, on any nodes.
        """
        if kind == "run" and self._settings.processes > 1:
            return Resources(cpus=1, memory=asked.memory)
        return asked

    def _id(self, attempt: Attempt) -> str:
        return f"vecaf-{self._home}-{attempt.kind}-{attempt.job_id}-{attempt.number}"

    def _ending(self, attempt: Attempt, job: JobDetails) -> Exited:
        log = log_of(self._settings, attempt.kind, attempt.job_id)
        where = f"{log.relative_to(self._settings.home)} in the data folder"
        if job.status == JobStatus.STOPPED:
            return Exited("The job was stopped on the cluster.", crashed=False)
        if job.status == JobStatus.SUCCEEDED:
            return describe_exit(0, where)
        if job.error_type in LOST_REASONS:
            return Exited(LOST_REASONS[job.error_type], crashed=False)
        if attempt not in self._forgotten:
            _append(log, job.message or "")
        if job.driver_exit_code is not None:
            return describe_exit(job.driver_exit_code, where)
        return Exited(f"The process could not start on the cluster. See the log: {where}.")

    def _node_name(self, node_id: str | None) -> str | None:
        return next((node.node_name for node in self._nodes if node.node_id == node_id), node_id)


def python_command(words: list[str]) -> str:
    """Return the shell command `python -m WORDS`, with this Python if the node has it."""
    root = str(Path(vecaf.__file__).parents[1])
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), root]))
    return (
        f"export PYTHONPATH={shlex.quote(path)}; "
        f"exec $(command -v {shlex.quote(sys.executable)} || command -v python3) "
        f"-m {shlex.join(words)}"
    )


def _append(log: Path, message: str) -> None:
    """Add what Ray reports to the log of the job, in case its process wrote nothing there."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write(f"\n{message}\n")
    except OSError as error:
        logger.warning("Could not write to %s: %s", log, error.strerror)
