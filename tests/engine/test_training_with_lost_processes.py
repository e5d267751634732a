"""Ray Train resumes a training from its checkpoint after it lost a process or a node."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.programs import InEachProcess, train
from tests.engine.ray_nodes import ray_nodes
from tests.shapes import make_samples
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.engine.torchrun import launch_here
from vecaf.settings import Settings
from vecaf.training import trainer
from vecaf.training.checkpoints import load_tensors
from vecaf.training.ranks import Ranks
from vecaf.training.stages import MODEL_CHECKPOINT

pytestmark = pytest.mark.soak

CONFIG = RunConfig(budget="9", rounds=1, epochs=12, batch_size=4, mode="full", image_size=64)
PATIENCE = 300.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes with a CPU each: two train, and one is free."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
        environment.setenv("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "600")  # under load
        with ray_nodes(3, cpus=1) as nodes:
            yield nodes


def train_and_say_where(
    ranks: Ranks, samples: Samples, folder: Path, settings: Settings
) -> tuple[bool, int, Any]:
    """Return whether a checkpoint existed, the number of processes, and the results."""
    import ray

    trainer.CHECKPOINT_SECONDS = 0.0
    resumes = checkpoint_of(folder).exists()
    node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""
    (folder / f"process-{ranks.number}").write_text(f"{os.getpid()} {node}")
    return resumes, ranks.count, train(ranks, CONFIG, samples, folder, settings)


def checkpoint_of(folder: Path) -> Path:
    return folder / "round-1" / MODEL_CHECKPOINT


def kill_process(cluster: Any, places: list[tuple[int, str]]) -> None:
    os.kill(places[1][0], signal.SIGKILL)


def kill_node(cluster: Any, places: list[tuple[int, str]]) -> None:
    nodes = {node.node_id: node for node in cluster.worker_nodes}
    used = next(nodes[node] for _, node in reversed(places) if node in nodes)
    cluster.remove_node(used, allow_graceful=False)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return make_samples(tmp_path_factory.mktemp("samples") / "shapes", 60)


@pytest.fixture(scope="module")
def undisturbed(
    samples: Samples, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, dict[str, Any]]:
    """The confusion matrix and the weights of a training by `torchrun`."""
    folder = tmp_path_factory.mktemp("undisturbed")
    settings = Settings.from_environment({"VECAF_HOME": str(folder / "home")})
    program = InEachProcess(train_and_say_where, (samples, folder, settings))
    _, _, results = launch_here(program, 2, "cpu", tmp_path_factory.mktemp("files"))
    return results[-1].confusion, weights_of(folder)


def weights_of(folder: Path) -> dict[str, Any]:
    return dict(load_tensors(folder / "model" / "model.safetensors")[0])


@pytest.mark.parametrize("kill", [kill_process, kill_node])
def test_the_model_is_that_of_an_undisturbed_training(
    cluster: Any,
    samples: Samples,
    undisturbed: tuple[Any, dict[str, Any]],
    settings: Settings,
    tmp_path: Path,
    kill: Callable[[Any, list[tuple[int, str]]], None],
) -> None:
    from vecaf.engine.ray_training import launch_on_cluster

    folder = tmp_path / "run"
    for place in (folder, tmp_path / "ray"):
        place.mkdir()
    killed = threading.Event()

    def disturb() -> None:
        deadline = time.monotonic() + PATIENCE
        while not checkpoint_of(folder).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        lines = [(folder / f"process-{number}").read_text().split() for number in range(2)]
        kill(cluster, [(int(pid), node) for pid, node in lines])
        killed.set()

    thread = threading.Thread(target=disturb)
    thread.start()
    program = InEachProcess(train_and_say_where, (samples, folder, settings))
    resumes, count, results = launch_on_cluster(program, 2, "cpu", tmp_path / "ray")
    thread.join()
    assert killed.is_set() and resumes and count == 2

    confusion, expected = undisturbed
    assert results[-1].confusion == confusion
    weights = weights_of(folder)
    assert weights.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(weights[name].numpy(), values.numpy(), err_msg=name)
