"""Each launcher starts processes that train together, and says how they ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.programs import InEachProcess, fail_in_second, train
from tests.engine.ray_nodes import ray_nodes
from tests.shapes import make_samples
from vecaf.config import RunConfig
from vecaf.engine.attempt import LostProcessError
from vecaf.engine.run_processes import Launcher
from vecaf.engine.torchrun import launch_here
from vecaf.errors import DamagedFileError, UnreadableImageError
from vecaf.settings import Settings
from vecaf.training.checkpoints import load_tensors
from vecaf.training.ranks import FirstProcessError, Ranks


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
        environment.setenv("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "600")  # under load
        with ray_nodes(1, cpus=4) as nodes:
            yield nodes


def communicate(ranks: Ranks) -> tuple[Any, ...]:
    """Return what the methods of `Ranks` give and raise in this process."""

    def read_in_second() -> str:
        if not ranks.first:
            raise UnreadableImageError("It is damaged.", Path("image.png"))
        return "read"

    found: list[Any] = []
    calls: list[Any] = [
        lambda: ranks.from_first(sum, [ranks.number, 2]),
        lambda: ranks.agree(lambda: 0.5 - ranks.number),
        lambda: ranks.together(str, ranks.number),
        lambda: ranks.from_first(load_tensors, Path("/missing.safetensors")),
        lambda: ranks.agree(lambda: 1 / 0),
        lambda: ranks.together(read_in_second),
    ]
    for call in calls:
        try:
            found.append(call())
        except (DamagedFileError, FirstProcessError, UnreadableImageError) as error:
            found.append(type(error))
            path = getattr(error, "path", None)
    everywhere = [None] * ranks.count
    from torch import distributed

    distributed.all_gather_object(everywhere, (*found, path))
    return tuple(everywhere)


def test_two_processes_share_results_and_errors(tmp_path: Path) -> None:
    first, second = launch_here(InEachProcess(communicate, ()), 2, "cpu", tmp_path)
    errors = (DamagedFileError, FirstProcessError, UnreadableImageError, Path("image.png"))
    assert (first, second) == ((2, 0.5, "0", *errors), (2, 0.5, "1", *errors))


def communicate_and_train(ranks: Ranks, *arguments: Any) -> tuple[Any, ...]:
    return communicate(ranks), train(ranks, *arguments)


@pytest.mark.soak
def test_torchrun_and_ray_train_the_same_weights_and_share_errors(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecaf.engine.ray_training import launch_on_cluster

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # each launcher has a default of its own
    samples = make_samples(tmp_path / "shapes", 60)
    config = RunConfig(budget="9", rounds=2, epochs=2, batch_size=4, mode="full", image_size=64)
    launchers: dict[str, Launcher] = {"torchrun": launch_here, "ray": launch_on_cluster}
    confusions, weights = [], []
    for name, launch in launchers.items():
        settings = Settings.from_environment({"VECAF_HOME": str(tmp_path / f"{name}-home")})
        arguments = (config, samples, tmp_path / name, settings)
        program = InEachProcess(communicate_and_train, arguments)
        (first, second), results = launch(program, 2, "cpu", tmp_path / f"{name}-files")
        errors = (DamagedFileError, FirstProcessError, UnreadableImageError, Path("image.png"))
        assert first == (2, 0.5, "0", *errors)
        assert second == (2, 0.5, "1", *errors)
        confusions.append(results[-1].confusion)
        weights.append(load_tensors(tmp_path / name / "model" / "model.safetensors")[0])
    assert confusions[0] == confusions[1]
    assert weights[0].keys() == weights[1].keys()
    for key, values in weights[0].items():
        np.testing.assert_array_equal(values.numpy(), weights[1][key].numpy(), err_msg=key)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("CUDA out of memory.", MemoryError),
        pytest.param("", LostProcessError, marks=pytest.mark.soak),
    ],
)
@pytest.mark.parametrize("name", ["torchrun", pytest.param("ray", marks=pytest.mark.soak)])
def test_a_launcher_says_how_a_process_was_lost(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    message: str,
    error: type[Exception],
) -> None:
    launch: Launcher = launch_here
    if name == "ray":
        request.getfixturevalue("cluster")
        from vecaf.engine import ray_training

        monkeypatch.setattr(ray_training, "MAX_RESTARTS", 0)
        launch = ray_training.launch_on_cluster
    with pytest.raises(error):
        launch(InEachProcess(fail_in_second, (message,)), 2, "cpu", tmp_path)
