"""Check that the nodes of a Ray cluster can execute jobs: versions, data folder, token, GPUs."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from ray.job_submission import JobStatus

from vecaf.engine.ray_client import RayClient, cluster_address, is_loopback
from vecaf.engine.ray_engine import python_command
from vecaf.engine.ray_probe import MARK
from vecaf.errors import UnavailableError, VecafError
from vecaf.settings import Settings
from vecaf.store.home import read_home_id

POLL_SECONDS = 0.5
WAIT_SECONDS = 180.0


def check_cluster(settings: Settings) -> str:
    """Ask every node of the cluster, and describe the cluster.

    Raises
    ------
    VecafError
        The cluster can't be reached or can't execute jobs. Says what to do.
    """
    client = RayClient(cluster_address())
    nodes = _answers(client, settings)
    return describe_nodes(nodes, str(settings.home), open_allowed=is_loopback(client.address))


def describe_nodes(nodes: list[dict[str, Any]], home: str, *, open_allowed: bool) -> str:
    """Describe the answers of the nodes, see `vecaf.engine.ray_probe`.

    Parameters
    ----------
    open_allowed
        Whether the cluster may accept jobs without a token.

    Raises
    ------
    VecafError
        The answers show a problem.
    """
    silent = [node["node"] for node in nodes if "error" in node]
    if silent:
        raise VecafError(f"Nodes do not answer: {', '.join(silent)}. Check them with `ray status`.")
    problems = []
    for name in ("python", "ray"):
        versions = {node[name] for node in nodes}
        if len(versions) > 1:
            found = ", ".join(f"{node['node']} has {node[name]}" for node in nodes)
            label = {"python": "Python", "ray": "Ray"}[name]
            problems.append(
                f"The nodes have different versions of {label}: {found}. Install the same version "
                "on all nodes."
            )
    missing = [node["node"] for node in nodes if not node["studio"]]
    if missing:
        problems.append(
            f"VeCAF Studio is not installed on {', '.join(missing)}. Install it there: "
            "docs/scaling.md tells how."
        )
    apart = [f"{node['node']} {node['folder']}" for node in nodes if node["folder"]]
    if apart:
        problems.append(
            f"All nodes must share the data folder {home} at this path, but {'; '.join(apart)}."
        )
    open_nodes = [node["node"] for node in nodes if not node["token"]]
    if open_nodes and not open_allowed:
        problems.append(
            f"These nodes accept jobs from anyone: {', '.join(open_nodes)}. Start them with "
            "RAY_AUTH_MODE=token."
        )
    if problems:
        raise VecafError(" ".join(problems))
    gpus = sum(node["gpus"] for node in nodes)
    access = "for this machine only" if open_nodes else "with a token"
    return (
        f"nodes: {len(nodes)}, GPUs: {gpus:g}, Ray {nodes[0]['ray']}, "
        f"Python {nodes[0]['python']}; every node can write to the data folder; access {access}"
    )


def _answers(client: RayClient, settings: Settings) -> list[dict[str, Any]]:
    submission_id = f"vecaf-doctor-{secrets.token_hex(4)}"
    words = ["vecaf.engine.ray_probe", str(settings.home), read_home_id(settings) or ""]
    client.submit(submission_id, python_command(words))
    deadline = time.monotonic() + WAIT_SECONDS
    while not (job := client.job(submission_id)).status.is_terminal():
        if time.monotonic() > deadline:
            client.stop(submission_id)
            raise UnavailableError(
                f"The cluster has not executed a job within {WAIT_SECONDS:g} s. Check it with "
                "`ray status`."
            )
        time.sleep(POLL_SECONDS)
    lines = client.log_of(submission_id).splitlines()
    client.delete(submission_id)
    if job.status != JobStatus.SUCCEEDED:
        last = next((line for line in reversed(lines) if line.strip()), "no output")
        raise VecafError(
            f"The cluster could not execute a job. Check it with `ray status`. The job's last "
            f"output: {last}"
        )
    return [json.loads(line.removeprefix(MARK)) for line in lines if line.startswith(MARK)]
