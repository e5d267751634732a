"""A run adapts to images of a target domain: its results, its files, and what it reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image, ImageOps
from safetensors.numpy import load_file

from tests.runs.small_runs import CONFIG, same
from tests.shapes import make_samples
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.errors import InputError
from vecaf.evaluation.predictions import load_predictions
from vecaf.export.onnx import export_onnx
from vecaf.export.predictor import Predictor
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.runs.target_outcome import read_outcome
from vecaf.settings import Settings
from vecaf.store import TEST, TRAIN
from vecaf.training.target_head import TargetHead

ADAPTING = replace(CONFIG, budget="18", rounds=1, adapt_to="posters")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return make_samples(tmp_path_factory.mktemp("source"), 120)  # 24 images to validate on


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Posters of the shapes: gray, with few levels and a frame. Some files are damaged."""
    samples = make_samples(tmp_path_factory.mktemp("target"), 90)
    for path in samples.paths:
        with Image.open(path) as image:
            gray = ImageOps.posterize(image.convert("L"), 1).convert("RGB")
        ImageOps.expand(gray, 12, "white").resize((48, 48)).save(path)
    samples.paths[0].write_bytes(b"not an image")
    samples.paths[1].unlink()
    keys = tuple(f"{index:064x}" for index in range(len(samples)))
    return replace(samples, keys=keys, ids=samples.ids + 100_000)


def run(
    folder: Path, source: Samples, target: Samples | None, settings: Settings,
    recorder: MemoryRecorder | None = None, config: RunConfig = ADAPTING,
) -> MemoryRecorder:  # fmt: skip
    recorder = recorder or MemoryRecorder()
    run_rounds(config, source, recorder, folder, settings, target=target)
    return recorder


@pytest.fixture(scope="module")
def finished(
    source: Samples, target: Samples, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, MemoryRecorder]:
    folder = tmp_path_factory.mktemp("run")
    return folder, run(folder, source, target, settings)


def test_the_exported_model_is_the_evaluated_one(
    finished: tuple[Path, MemoryRecorder], source: Samples, target: Samples
) -> None:
    folder, recorder = finished
    outcome = read_outcome(folder)
    assert outcome is not None and outcome.adapted and outcome.reason in recorder.messages
    assert outcome.images == len(target.pool) - 2  # without the damaged files
    predictor = Predictor.load(folder / "model", "cpu")
    assert isinstance(predictor.model.head, TargetHead)
    test = source.rows(TEST)
    logits = predictor.logits([source.paths[row] for row in test])
    accuracy = float((logits.argmax(axis=1) == source.labels[test]).mean())
    assert accuracy == recorder.results[-1].test_accuracy
    stored = load_predictions(folder, 1)
    assert stored is not None
    predicted = stored.predicted[np.isin(stored.ids, source.ids[test])]
    assert_array_equal(predicted, logits.argmax(axis=1))


def test_a_target_image_gets_the_mean_of_its_domain(
    finished: tuple[Path, MemoryRecorder], source: Samples, target: Samples
) -> None:
    import torch

    predictor = Predictor.load(finished[0] / "model", "cpu")
    head = predictor.model.head
    with torch.inference_mode():
        features = [
            predictor.model(torch.zeros(1, 3, 64, 64)),  # any image has a domain
            head.center(torch.randn(5, len(head.mean))),
        ]
    assert features[1].shape == (5, head.width) and features[0].shape == (1, 3)
    from vecaf.training.prediction import predict

    for samples, share in ((source, 0.0), (target, 1.0)):
        rows = samples.rows(TEST)
        paths = [samples.paths[row] for row in rows]
        domain = predict(predictor.model, paths, predictor.preprocessing)[0][:, -1]
        assert abs(float(domain.mean()) - share) < 0.2


@pytest.mark.soak
def test_the_onnx_file_reproduces_both_domains(finished: tuple[Path, MemoryRecorder]) -> None:
    assert export_onnx(finished[0] / "model") < 1e-3


def test_no_label_of_the_target_is_read(
    finished: tuple[Path, MemoryRecorder], source: Samples, target: Samples, settings: Settings,
    tmp_path: Path,
) -> None:  # fmt: skip
    unlabeled = replace(target, labels=np.full(len(target), -1), classes=())
    run(tmp_path, source, unlabeled, settings)
    one, other = (
        load_file(folder / "model" / "model.safetensors") for folder in (finished[0], tmp_path)
    )
    assert same(one, other)


def test_a_run_that_stopped_before_its_export_exports_the_adapted_model(
    finished: tuple[Path, MemoryRecorder], source: Samples, target: Samples, settings: Settings
) -> None:
    folder, recorder = finished
    weights = folder / "model" / "model.safetensors"
    before = load_file(weights)
    weights.unlink()
    run(folder, source, target, settings, recorder)
    assert same(before, load_file(weights))


def test_a_refusal_leaves_the_model_unchanged(
    source: Samples, target: Samples, settings: Settings, tmp_path: Path
) -> None:
    few = target.take(np.flatnonzero(target.splits == TRAIN)[2:9])
    refused = run(tmp_path / "refused", source, few, settings)
    plain = run(tmp_path / "plain", source, None, settings)
    outcome = read_outcome(tmp_path / "refused")
    assert outcome is not None and not outcome.adapted and "there are only 7" in outcome.reason
    assert outcome.reason in refused.messages
    one, other = (
        load_file(tmp_path / name / "model" / "model.safetensors") for name in ("refused", "plain")
    )
    assert same(one, other) and read_outcome(tmp_path / "plain") is None
    assert refused.results[-1].metrics == plain.results[-1].metrics


def test_a_target_without_readable_images_is_an_error(
    source: Samples, target: Samples, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="'posters' has no readable images"):
        run(tmp_path, source, target.take(np.arange(2)), settings)


def test_other_modes_are_refused() -> None:
    with pytest.raises(InputError, match="head-only"):
        replace(ADAPTING, mode="full").checked()
