"""Ray nodes on this machine, each in its own process group, with made-up CPUs and GPUs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests.engine.harness import RAY_TOKEN, wait_for

MEMORY = 80_000_000  # of a node's object store, in bytes
START_SECONDS = 240
NODE = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
"""Ray's default niceness is 15: on a busy machine, its processes would starve."""


class RayNode:
    """A node, started as administrators start it: with `ray start`."""

    def __init__(self, *options: str, temp: Path) -> None:
        ray = Path(sys.executable).parent / "ray"
        command = [
            "setpriv", "--pdeathsig", "TERM", str(ray), "start", *options, "--block",
            "--disable-usage-stats",
            f"--object-store-memory={MEMORY}", "--min-worker-port=0", "--max-worker-port=0",
            f"--dashboard-agent-listen-port={free_port()}",
        ]  # fmt: skip
        with (temp / "nodes.txt").open("ab") as output:
            self.process = subprocess.Popen(
                command,
                env=os.environ | RAY_TOKEN | NODE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Kill the node with all its processes, as a power cut does."""
        for member in {self.process.pid, *_members(self.process.pid)}:
            try:
                os.kill(member, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()


class RayCluster:
    """A head node and further nodes."""

    def __init__(self, temp: Path, cpus: int = 4, gpus: int = 1) -> None:
        """Start the head. `temp`: a folder with a short path, since sockets lie in it."""
        self.temp = temp
        self._ports = [free_port() for _ in range(3)]
        self.address = f"http://127.0.0.1:{self._ports[1]}"
        self.nodes: list[RayNode] = []
        self._resources = (f"--num-cpus={cpus}", f"--num-gpus={gpus}")
        self.start_head()

    def start_head(self) -> RayNode:
        port, dashboard, client = self._ports
        return self._start(
            "--head", f"--port={port}", f"--dashboard-port={dashboard}",
            f"--ray-client-server-port={client}", f"--temp-dir={self.temp}", *self._resources,
        )  # fmt: skip

    def add_node(self, name: str, cpus: int, gpus: int) -> RayNode:
        host = self._listed()[0]["node_ip"]
        return self._start(
            f"--address={host}:{self._ports[0]}", f"--node-name={name}",
            f"--num-cpus={cpus}", f"--num-gpus={gpus}",
        )  # fmt: skip

    def _start(self, *options: str) -> RayNode:
        """Start a node; again if it gives up, as it does after 30 s on a busy machine."""
        expected = self.alive() + 1
        while True:
            node = RayNode(*options, temp=self.temp)
            wait_for(
                lambda: self.alive() == expected or node.process.poll() is not None,  # noqa: B023
                START_SECONDS,
                "the node has not started",
            )
            if node.process.poll() is None:
                self.nodes.append(node)
                return node
            node.kill()

    def alive(self) -> int:
        """Return the number of live nodes; 0 if the head does not answer."""
        try:
            return sum(node["state"] == "ALIVE" for node in self._listed())
        except (httpx.HTTPError, ValueError, TypeError):
            return 0

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()
        self.nodes.clear()

    def _listed(self) -> list[dict[str, str]]:
        token = {"Authorization": f"Bearer {RAY_TOKEN['RAY_AUTH_TOKEN']}"}
        url = f"{self.address}/api/v0/nodes?detail=0"
        answer = httpx.get(url, headers=token, timeout=20).raise_for_status().json()
        found: list[dict[str, str]] = answer["data"]["result"]["result"]
        return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _members(pid: int) -> set[int]:
    """Return the processes that a process has started, and those of its session."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(path.name)] = int(fields[1])
            if int(fields[3]) == pid:
                found.add(int(path.name))
    while more := {one for one, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    return found
