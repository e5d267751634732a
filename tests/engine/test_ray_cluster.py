"""A cluster of three nodes on this machine: placement, lost nodes, a lost head."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.harness import (
    RAY_TOKEN,
    ROOT,
    log_lines,
    run_row,
    wait_for,
    wait_until_ended,
    worker,
    write_images,
)
from tests.engine.ray_cluster import RayCluster
from tests.recorded import metrics_of
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.engine.queue import submit_run
from vecaf.settings import Settings
from vecaf.store import FINISHED, QUEUED, Store

pytestmark = pytest.mark.soak

PATIENCE = 300.0


@pytest.fixture
def cluster() -> Iterator[RayCluster]:
    """A head without GPUs, and two nodes of which one has a made-up GPU."""
    folder = Path(tempfile.mkdtemp(prefix="vr"))
    found = RayCluster(folder, cpus=1, gpus=0)
    try:
        found.add_node("first", cpus=4, gpus=1)
        found.add_node("second", cpus=4, gpus=0)
        yield found
    finally:
        found.stop()
        shutil.rmtree(folder, ignore_errors=True)


def waits(store: Store, run_id: int, why: str) -> None:
    wait_for(lambda: why in run_row(store, run_id).stage, PATIENCE, f"it does not show: {why}")


def trains(store: Store, run_id: int) -> None:
    wait_for(lambda: "training" in run_row(store, run_id).stage, PATIENCE, "it does not train")


def doctor(store: Store, address: str) -> str:
    """Return what `vecaf doctor` says about the cluster."""
    environment = store.settings.as_environment() | {"VECAF_ENGINE": "ray", "RAY_ADDRESS": address}
    found = subprocess.run(
        [sys.executable, "-m", "vecaf", "doctor", "--json"],
        env=os.environ | environment | RAY_TOKEN, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    findings = json.loads(found.stdout)["findings"]
    return next(str(one["finding"]) for one in findings if one["subject"] == "cluster")


def test_three_nodes(store: Store, run_id: int, cluster: RayCluster) -> None:
    said = doctor(store, cluster.address)
    assert said.startswith("nodes: 3, GPUs: 1, ") and said.endswith("access with a token")
    follower = submit_run(store, RunConfig(dataset="rows", budget="5", rounds=2), store.owner())
    with worker(store.settings, stand_in="work", cluster=cluster.address):
        trains(store, run_id)
        wait_for(lambda: run_row(store, run_id).node == "first", PATIENCE, "another node has it")
        waits(store, follower, "waiting for 4 CPUs, 1 GPU on the cluster")
        assert run_row(store, follower).state == QUEUED

        cluster.nodes[1].kill()  # the node with the GPU
        wait_for(lambda: run_row(store, run_id).losses == 1, PATIENCE, "the loss is not recorded")
        assert any("node was lost" in line for line in log_lines(store, run_id))
        cluster.add_node("third", cpus=4, gpus=1)
        first = wait_until_ended(store, run_id, PATIENCE)

        trains(store, follower)
        cluster.stop()  # the head and, with it, all nodes
        cluster.start_head()
        cluster.add_node("fourth", cpus=4, gpus=1)
        second = wait_until_ended(store, follower, PATIENCE)
    assert (first.state, first.crashes, first.attempt) == (FINISHED, 0, 2)
    assert (second.state, second.crashes, second.losses) == (FINISHED, 0, 1)
    with store.read() as session:
        assert len(metrics_of(session, run_id)) == len(metrics_of(session, follower)) == 40


def test_two_processes_on_two_nodes_train_a_run(
    settings: Settings, tmp_path: Path, cluster: RayCluster
) -> None:
    settings = replace(settings, processes=2, device="cpu")
    store = Store.open(settings)
    import_dataset(store, write_images(tmp_path / "pictures"), "pictures")
    config = RunConfig(dataset="pictures", budget="9", rounds=2, epochs=4, batch_size=3)
    run_id = submit_run(store, config, store.owner())
    with worker(settings, cluster=cluster.address):
        run = wait_until_ended(store, run_id, PATIENCE)
    assert (run.state, run.error, run.attempt) == (FINISHED, None, 1)
    assert (settings.runs / str(run_id) / "model" / "model.safetensors").exists()


def test_jobs_wait_for_a_cluster_that_is_down(store: Store, run_id: int) -> None:
    with worker(store.settings, stand_in="quick", cluster="http://127.0.0.1:9"):
        waits(store, run_id, "The Ray cluster at http://127.0.0.1:9 can't be reached.")
    assert run_row(store, run_id).state == QUEUED
