"""What users read when a cluster can't be used, without a cluster."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import ray

from vecaf.engine import engines
from vecaf.engine.engines import create_engine
from vecaf.engine.protocol import Resources
from vecaf.engine.ray_client import RayClient, cluster_address
from vecaf.engine.ray_placement import MAX_PENDING, obstacle, trimmed
from vecaf.errors import InputError, UnavailableError, VecafError
from vecaf.housekeeping.cluster_check import describe_nodes
from vecaf.settings import GIB, Settings
from vecaf.store import Store


@dataclass
class Answers:
    """What a web server answers instead of the dashboard of a cluster."""

    address: str = ""
    status: int = 200
    version: str = ray.__version__
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def dashboard() -> Iterator[Answers]:
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.asked.append(self.path)
            self.send_response(answers.status)
            self.end_headers()
            self.wfile.write(json.dumps({"ray_version": answers.version}).encode())

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    answers.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield answers
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("address", "mode", "complaint"),
    [
        ("", "", "RAY_ADDRESS is not set. Set RAY_ADDRESS to the dashboard"),
        ("ray://head:10001", "token", "is not an HTTP address"),
        ("head:6379", "token", "is not an HTTP address"),
        ("http://head:8265", "", "accept jobs from anyone on its network. Start"),
    ],
)
def test_an_invalid_address_is_refused(
    address: str, mode: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with pytest.raises(InputError, match=complaint):
        cluster_address()
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265/")
    assert cluster_address() == "http://127.0.0.1:8265"


def test_a_cluster_that_does_not_answer(dashboard: Answers) -> None:
    dashboard.status = 401
    with pytest.raises(UnavailableError, match="rejected the token"):
        RayClient(dashboard.address)
    dashboard.status = 500
    with pytest.raises(UnavailableError, match="can't be reached"):
        RayClient(dashboard.address)
    with pytest.raises(UnavailableError, match="Check that its head node is running"):
        RayClient("http://127.0.0.1:9")


def test_a_cluster_of_another_version(dashboard: Answers) -> None:
    RayClient(dashboard.address)
    dashboard.version = "2.55.1"
    with pytest.raises(UnavailableError, match=r"has version 2\.55\.1, but this installation has"):
        RayClient(dashboard.address)


def test_sqlite_and_missing_packages_are_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(store.settings, engine="ray")
    monkeypatch.setenv("RAY_ADDRESS", "http://head:8265")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(InputError, match="SQLite supports only one machine"):
        create_engine(settings)
    monkeypatch.setitem(engines.__dict__["__builtins__"], "__import__", _without_ray)
    with pytest.raises(UnavailableError, match=r"pip install '\.\[cluster\]'"):
        create_engine(settings)
    with pytest.raises(InputError, match="VECAF_ENGINE is 'slurm'"):
        Settings.from_environment({"VECAF_ENGINE": "slurm"})


_import = __import__


def _without_ray(name: str, *arguments: object, **options: object) -> object:
    if name == "vecaf.engine.ray_engine":
        raise ImportError("No module named 'ray'")
    return _import(name, *arguments, **options)  # type: ignore[arg-type]


@dataclass
class Node:
    resources_total: dict[str, float]


SMALL = Node({"CPU": 2, "memory": 8 * GIB})
LARGE = Node({"CPU": 8, "GPU": 2, "memory": 32 * GIB})


def test_a_job_starts_only_if_it_fits() -> None:
    run = Resources(cpus=4, gpus=1)
    nodes = [SMALL, LARGE]
    assert trimmed(run, nodes) == run
    assert trimmed(run, [SMALL]) == Resources(cpus=2)

    def why(wanted: Resources, asked: list[Resources], pending: int = 0) -> str | None:
        return obstacle(wanted, wanted, nodes, asked, pending)

    assert why(run, []) is None
    assert why(run, [run]) is None
    assert why(run, [run, run]) == "waiting for 4 CPUs, 1 GPU on the cluster"
    assert why(run, [run], MAX_PENDING) == "waiting for a free node of the cluster"
    apart = Resources(cpus=2, gpus=3, memory=int(1.5 * GIB))
    assert why(apart, []) == (
        "waiting for a node with 2 CPUs, 3 GPUs, 1.5 GiB; no node has these resources"
    )
    assert obstacle(run, run, [], [], 0) == "waiting for the cluster, which has no nodes"


def test_an_autoscaler_sees_jobs_that_wait() -> None:
    run = Resources(cpus=4, gpus=1)

    def why(pending: int) -> str | None:
        return obstacle(run, run, [SMALL], [run], pending, autoscaling=True)

    assert why(0) is None
    assert why(MAX_PENDING) == "waiting for a free node of the cluster"


def test_the_doctor_names_the_nodes_with_problems() -> None:
    good = {"node": "a", "gpus": 2.0, "python": "3.11.7", "ray": "2.60.0", "studio": True,
            "token": True, "folder": ""}  # fmt: skip
    text = describe_nodes([good, {**good, "node": "b"}], "/shared", open_allowed=False)
    assert text == (
        "nodes: 2, GPUs: 4, Ray 2.60.0, Python 3.11.7; every node can write to the data folder; "
        "access with a token"
    )
    changes: list[tuple[dict[str, object], str]] = [
        ({"python": "3.12.1"}, "different versions of Python: a has 3.11.7, b has 3.12.1"),
        ({"ray": "2.61.0"}, "different versions of Ray"),
        ({"studio": False}, "VeCAF Studio is not installed on b."),
        ({"folder": "has another folder there"}, "folder /shared at this path, but b has another"),
        ({"token": False}, "accept jobs from anyone: b. Start them with RAY_AUTH_MODE=token"),
        ({"error": "gone"}, "Nodes do not answer: b."),
    ]
    for change, complaint in changes:
        with pytest.raises(VecafError, match=complaint):
            describe_nodes([good, {**good, "node": "b", **change}], "/shared", open_allowed=False)
    alone = describe_nodes([{**good, "token": False}], "/shared", open_allowed=True)
    assert alone.endswith("access for this machine only")
