"""Two processes train the same model as one process, and a run resumes after it loses one."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor

from tests.engine.harness import is_alive, wait_for, wait_until_ended, worker, write_images
from tests.engine.programs import InEachProcess, train_with_a_break
from tests.shapes import make_samples
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.datasets.pool import Samples
from vecaf.encoders.vision_models import load_pvm
from vecaf.engine.queue import submit_run
from vecaf.engine.torchrun import launch_here
from vecaf.evaluation.predictions import load_predictions
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.store import FINISHED, Metric, Round, Store
from vecaf.training.batches import LabeledImages, steps_in_epoch
from vecaf.training.model import Classifier, Head
from vecaf.training.ranks import ALONE, Ranks
from vecaf.training.stages import Stage, train_model
from vecaf.training.trainer import learning_rate_factor

# Nine images in batches of four: the last batch has one image, so the second process gets none.
# No class is exactly a third of a batch. Otherwise the first gradient of its bias would be zero up
# to rounding errors, which AdamW scales to a full step.
CONFIG = RunConfig(budget="9", rounds=1, epochs=3, batch_size=4)


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param("full", marks=pytest.mark.soak),  # trains a head first
        pytest.param("head-only", marks=pytest.mark.soak),
        pytest.param("lora", marks=pytest.mark.soak),
    ],
)
def test_two_processes_train_the_same_model_as_one(
    settings: Settings, tmp_path: Path, mode: str
) -> None:
    samples = make_samples(tmp_path / "shapes", 60)
    config = replace(CONFIG, mode=mode)
    whole = MemoryRecorder()
    run_rounds(config, samples, whole, tmp_path / "one", settings)
    program = InEachProcess(train_with_a_break, (config, samples, tmp_path / "two", settings))
    results, two_metrics = launch_here(program, 2, "cpu", tmp_path / "processes")
    one, two = (
        load_file(tmp_path / name / "model" / "model.safetensors") for name in ("one", "two")
    )
    heads = [load_file(tmp_path / name / "round-1" / "head.safetensors") for name in ("one", "two")]
    assert np.abs(heads[1]["linear.weight"]).max() > 1e-3  # it did learn
    for name, values in heads[0].items():
        np.testing.assert_allclose(heads[1][name], values, rtol=0, atol=config.head_lr / 1000)
    assert one.keys() == two.keys()
    apart = np.concatenate([np.abs(one[name] - two[name]).ravel() for name in one])
    # Float32 rounding gives a weight without a gradient a tiny one, and AdamW makes a full step of
    # it. The processor decides how many weights that concerns and which way each moves. A weight
    # can thus end two whole paths apart; all weights together stay within 1% of a path.
    steps = config.epochs * steps_in_epoch(int(config.budget), config.batch_size)
    path = config.lr * sum(learning_rate_factor(step, steps) for step in range(steps))
    assert apart.max() < 2 * path
    assert np.sqrt(np.mean(np.square(apart, dtype=np.float64))) < path / 100
    assert results[0].confusion == whole.results[0].confusion
    predictions = [load_predictions(tmp_path / name, 1) for name in ("one", "two")]
    assert predictions[0] is not None and predictions[1] is not None
    np.testing.assert_array_equal(predictions[1].predicted, predictions[0].predicted)
    for (number, step, name), value in whole.metrics.items():
        if (number, step, "val_loss") in whole.metrics:  # between: one process's own loss
            assert two_metrics[number, step, name] == pytest.approx(value, abs=1e-3)


class InDoubles(Classifier):
    """A classifier that computes in float64, where rounding errors stay small."""

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = super().forward(images.double())
        return logits


def train_in_float64(ranks: Ranks, samples: Samples, folder: Path) -> dict[str, Tensor]:
    images = LabeledImages(list(samples.paths), samples.labels)
    nobody = LabeledImages([], np.empty(0, dtype=np.int64))
    config = replace(CONFIG, mode="full", epochs=2, batch_size=5)  # the last batch has four
    pvm = load_pvm("efficientnet_lite0", 64)
    head = Head(torch.zeros(1280), 3)
    torch.nn.init.normal_(head.linear.weight, generator=torch.Generator().manual_seed(7))
    model = InDoubles(pvm.build(0), head).double()
    stage = Stage(config, 3, folder)
    train_model(model, images, nobody, pvm.preprocessing, stage, ranks=ranks)
    return model.state_dict()


@pytest.mark.soak  # two processes that import PyTorch
def test_in_float64_two_processes_train_the_same_weights_as_one(tmp_path: Path) -> None:
    samples = make_samples(tmp_path / "shapes", 14)
    pvm = load_pvm("efficientnet_lite0", 64)
    before = InDoubles(pvm.build(0), Head(torch.zeros(1280), 3)).state_dict()
    one = train_in_float64(ALONE, samples, tmp_path / "one")
    program = InEachProcess(train_in_float64, (samples, tmp_path / "two"))
    two = launch_here(program, 2, "cpu", tmp_path / "processes")
    moved = [float((one[name] - before[name]).abs().max()) for name in one if "backbone" in name]
    assert max(moved) > 1e-4
    for name, values in one.items():
        torch.testing.assert_close(two[name], values, rtol=0, atol=1e-7, msg=name)


@pytest.mark.soak
def test_a_run_resumes_after_one_of_its_processes_was_killed(
    settings: Settings, tmp_path: Path
) -> None:
    settings = replace(settings, processes=2, device="cpu")
    store = Store.open(settings)
    import_dataset(store, write_images(tmp_path / "pictures"), "pictures")
    config = RunConfig(dataset="pictures", budget="9", rounds=2, epochs=40, batch_size=3)
    run_id = submit_run(store, config, store.owner())
    with worker(settings) as process:
        wait_for(lambda: second_round_is_trained(store, run_id), 180, "no second round")
        (child,) = process.children()
        listing = Path(f"/proc/{child}/task/{child}/children")
        processes = [int(pid) for pid in listing.read_text().split() if is_alive(int(pid))]
        os.kill(processes[-1], signal.SIGKILL)
        run = wait_until_ended(store, run_id, 180)
        wait_for(lambda: not is_alive(child), 60, "the old child lives on")
    assert (run.state, run.error, run.attempt, run.crashes) == (FINISHED, None, 2, 1)
    with store.read() as session:
        assert [row.number for row in session.query(Round).order_by(Round.number)] == [1, 2]


def second_round_is_trained(store: Store, run_id: int) -> bool:
    with store.read() as session:
        return session.query(Metric).filter_by(run_id=run_id, round=2).first() is not None
