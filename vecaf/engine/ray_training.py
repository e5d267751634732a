"""Start the processes of a run on a Ray cluster, with Ray Train."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import ray
from ray.train.torch import TorchConfig
from ray.train.v2.api.config import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.api.exceptions import ControllerError, TrainingFailedError, WorkerGroupError
from ray.train.v2.torch.torch_trainer import TorchTrainer

from vecaf.engine.attempt import LostProcessError
from vecaf.engine.ray_connection import connect
from vecaf.training.ranks import TIMEOUT, backend_for

T = TypeVar("T")

MAX_RESTARTS = 2
"""How often Ray starts the processes again on the nodes that are left, from the checkpoint."""
MAX_STARTS = 10
"""How often Ray tries to start them: other jobs may use the nodes meanwhile."""
START_SECONDS = 120
"""How long a start may take. Ray's default, a minute, is too short for a cold or busy machine."""


def launch_on_cluster(program: Callable[[], T], count: int, device: str, folder: Path) -> T:
    """Call `program` in `count` processes of the cluster; see `Launcher`.

    If a node is lost, Ray starts the processes again: as many as fit, and more when nodes return.
    A batch has the same size with fewer processes. Checkpoints are those in the folder of the run,
    so Ray's own folder stays empty.
    """
    connect(log_to_driver=True)
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", str(START_SECONDS))

    def call() -> T:  # an argument of the function would appear in Ray's dashboard
        return program()

    threads = os.environ.get("OMP_NUM_THREADS")
    trainer = TorchTrainer(
        call,
        scaling_config=ScalingConfig(num_workers=(1, count), use_gpu=device.startswith("cuda")),
        torch_config=TorchConfig(
            backend=backend_for(device), timeout_s=int(TIMEOUT.total_seconds())
        ),
        run_config=RunConfig(
            name=uuid.uuid4().hex,
            storage_path=str(folder),
            failure_config=FailureConfig(
                max_failures=MAX_RESTARTS, controller_failure_limit=MAX_STARTS
            ),
            worker_runtime_env={"env_vars": {"OMP_NUM_THREADS": threads}} if threads else None,
        ),
    )
    try:
        result = trainer.fit()
    except WorkerGroupError as error:
        for failure in error.worker_failures.values():
            if "out of memory" in str(failure).lower():
                raise MemoryError(str(failure)) from error
        raise LostProcessError("A training process exited.") from error
    except ControllerError as error:
        raise LostProcessError("The cluster could not start the training processes.") from error
    except TrainingFailedError as error:
        raise LostProcessError("A training process exited.") from error
    returned: T = result.return_value  # type: ignore[attr-defined]
    return returned


def cluster_device(device: str) -> str:
    """Return cuda:0 if the cluster has GPUs and `device` allows them, otherwise cpu."""
    connect(log_to_driver=True)
    return "cuda:0" if device != "cpu" and ray.cluster_resources().get("GPU") else "cpu"
