"""The active finetuning loop on real images with the embedded models, without a database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file

from tests.runs.small_runs import CONFIG, FULL, KNOWN, LORA, TOLD, finish, same
from tests.shapes import make_samples
from vecaf.config import LABEL_FREE, LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders.preprocessing import Preprocessing
from vecaf.encoders.vision_models import load_pvm
from vecaf.errors import InputError
from vecaf.evaluation.predictions import load_predictions
from vecaf.export.predictor import Predictor
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.runs.selection_only import select_images
from vecaf.settings import Settings
from vecaf.store import TEST, TRAIN, VAL
from vecaf.training.batches import ImageBatches, LabeledImages

SMALL = Preprocessing(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize("track", [LABEL_FREE, LABELS_KNOWN])
@pytest.mark.parametrize("config", [CONFIG, FULL], ids=["head-only", "full"])
def test_a_run_learns_and_its_files_predict(
    config: RunConfig, track: str, samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    config = replace(config, track=track)
    recorder, _ = finish(config, samples, settings, tmp_path)

    assert [r.number for r in recorder.results] == [1, 2]
    assert [r.labeled for r in recorder.results] == [6, 12]
    selected = np.concatenate([recorder.selections[r].sample_ids for r in (1, 2)])
    assert len(set(selected.tolist())) == 12
    assert set(selected) <= set(samples.ids[samples.rows(TRAIN)])
    assert (recorder.results[-1].test_accuracy or 0) > 0.6  # three classes: chance is a third
    assert np.sum(recorder.results[-1].confusion or []) == len(samples.rows(TEST))

    first, last = (load_predictions(tmp_path, number) for number in (1, 2))
    assert first is not None and last is not None
    assert_array_equal(last.ids, samples.ids)  # the model of the last round predicts every image
    watched = samples.ids if config.mode == "head-only" else samples.ids[samples.splits != TRAIN]
    assert_array_equal(first.ids, watched)
    for said, result in zip((first, last), recorder.results, strict=True):
        where = np.isin(said.ids, samples.ids[samples.rows(TEST)])
        right = said.predicted[where] == samples.labels[samples.rows(TEST)]
        assert float(right.mean()) == result.test_accuracy

    test = samples.rows(TEST)
    logits = Predictor.load(tmp_path / "model", "cpu").logits([samples.paths[i] for i in test])
    accuracy = float((logits.argmax(axis=1) == samples.labels[test]).mean())
    assert accuracy == recorder.results[-1].test_accuracy
    steps = sorted(step for _, step, name in recorder.metrics if name == "val_accuracy")
    assert steps and steps[-1] == recorder.results[-1].batches
    assert not list(tmp_path.glob("round-*/*-checkpoint.safetensors"))


@pytest.mark.parametrize("config", [FULL, LORA], ids=["full", "lora"])
def test_without_validation_labels_the_last_weights_are_kept(
    config: RunConfig, samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    unlabeled = replace(samples, labels=np.where(samples.splits == VAL, -1, samples.labels))
    config = replace(config, rounds=1, epochs=1)
    _, weights = finish(config, unlabeled, settings, tmp_path)
    pretrained = load_pvm("efficientnet_lite0").build(0).state_dict()
    moved = [np.abs(weights[f"backbone.{name}"] - pretrained[name].numpy()) for name in pretrained]
    assert max(float(one.max()) for one in moved) > config.lr / 10


@pytest.mark.soak
def test_adapters_continue_over_the_rounds_of_one_training(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    """Added to weights that contain them already, they would change every weight twice."""
    config = replace(KNOWN, mode="lora", lr=0.003, lora_rank=4, epochs=4)
    finish(config, samples, settings, tmp_path)
    pretrained = load_pvm("efficientnet_lite0").build(0).state_dict()
    name = next(name for name, value in pretrained.items() if value.ndim == 4 and len(value) > 96)
    first, last = (
        np.linalg.norm(
            load_file(tmp_path / f"round-{number}" / "model.safetensors")[f"backbone.{name}"]
            - pretrained[name].numpy()
        )
        for number in (1, 2)
    )
    assert 0 < first < last < 1.5 * first


def test_with_picks_replace_each_round_trains_on_its_own_selection(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    config = replace(KNOWN, budget="12", epochs=2, caption_weight=0.0)
    recorder, _ = finish(config, samples, settings, tmp_path)
    assert [r.labeled for r in recorder.results] == [12, 24]
    assert [r.batches for r in recorder.results] == [6, 12]  # 12 images, batches of 4, 2 epochs
    assert set(recorder.selections[1].scores) == {"loss", "weight"}  # of a model before any batch
    assert not any("selects from round 2 on" in message for message in recorder.messages)
    assert not list(tmp_path.glob("round-*/training-state.safetensors"))


def test_dropout_uses_the_seed_of_the_run(tmp_path: Path) -> None:
    files = make_samples(tmp_path, n=12)
    train = LabeledImages(list(files.paths), files.labels)
    batches = ImageBatches(train, SMALL, 4, seed=3, device=torch.device("cpu"))
    drawn = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        batches(1)
        drawn.append(torch.rand(4))
    batches.close()
    assert torch.equal(*drawn)


@pytest.mark.parametrize("config", [CONFIG, KNOWN], ids=["selected", "means"])
def test_classes_without_selected_images_are_named(
    config: RunConfig, samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    never = replace(samples, classes=(*samples.classes, "never"))
    recorder, _ = finish(replace(config, budget="1", rounds=1), never, settings, tmp_path)
    (shown,) = samples.labels[np.isin(samples.ids, recorder.selections[1].sample_ids)]
    others = [name for name in never.classes if name != never.classes[shown]]
    where, lacking = ("yet", others) if config is CONFIG else ("in the pool", ["never"])
    names = " or ".join(f"'{name}'" for name in lacking)
    (said,) = (message for message in recorder.messages if "selected 1 image" in message)
    assert said.endswith(f"; no image of {names} {where}.")
    name = "vecaf, working like uherding," if config is CONFIG else "importance"
    assert said.startswith(f"Round 1: {name} selected")


@pytest.mark.parametrize(("rate", "collapses"), [(FULL.lr, False), (0.3, True)])
def test_a_training_that_ends_with_one_class_is_reported(
    rate: float, collapses: bool, samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    recorder, _ = finish(replace(FULL, rounds=1, lr=rate), samples, settings, tmp_path)
    said = [message for message in recorder.messages if "for all validation images" in message]
    assert len(said) == collapses
    if collapses:
        predictions = load_predictions(tmp_path, 1)
        assert predictions is not None
        (found,) = set(
            predictions.predicted[np.isin(predictions.ids, samples.ids[samples.rows(VAL)])]
        )
        assert f"'{samples.classes[found]}'" in said[0] and "smaller learning rate" in said[0]


def test_without_test_images_there_is_no_test_accuracy(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    untested = replace(samples, labels=np.where(samples.splits == TEST, -1, samples.labels))
    recorder, _ = finish(replace(CONFIG, rounds=1), untested, settings, tmp_path)
    assert recorder.results[0].test_accuracy is None
    assert "test accuracy not measured" in recorder.messages[-1]


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        pytest.param(FULL, marks=pytest.mark.soak),
        replace(CONFIG, target_words="a white drawing of"),
    ],
    ids=["head-only", "full", "target-words"],
)
def test_hidden_labels_change_nothing(
    config: RunConfig, samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    """Label-free: labels of test images and of images that were not selected are poisoned."""
    honest, weights = finish(config, samples, settings, tmp_path / "honest")
    selected = np.isin(
        samples.ids, np.concatenate([p.sample_ids for p in honest.selections.values()])
    )
    hidden = (samples.splits == TEST) | ((samples.splits == TRAIN) & ~selected)
    poisoned = samples.labels.copy()
    poisoned[hidden] = (poisoned[hidden] + 1) % len(samples.classes)
    other, poisoned_weights = finish(
        config, replace(samples, labels=poisoned), settings, tmp_path / "poisoned"
    )
    for number in (1, 2):
        assert_array_equal(
            other.selections[number].sample_ids, honest.selections[number].sample_ids
        )
    assert same(weights, poisoned_weights)


def test_labels_known_selection_never_sees_test_labels(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    config = replace(CONFIG, track=LABELS_KNOWN)
    recorder, weights = finish(config, samples, settings, tmp_path / "honest")
    # The pool has fewer images than the model has features.
    assert "The classifier starts from the class names." in recorder.messages
    poisoned = samples.labels.copy()
    poisoned[samples.splits == TEST] = 0
    _, other = finish(config, replace(samples, labels=poisoned), settings, tmp_path / "poisoned")
    assert same(weights, other)


@pytest.mark.parametrize(
    "config",
    [CONFIG, replace(TOLD, track=LABELS_KNOWN, strategy="entropy"), KNOWN],
    ids=["label-free", "from-words", "from-means"],
)
def test_a_selection_without_training_equals_the_first_round_of_a_run(
    config: RunConfig, samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    config = replace(config, rounds=1, epochs=1)
    recorder, _ = finish(config, samples, settings, tmp_path)
    choice = select_images(config, samples, MemoryRecorder(), settings)
    assert_array_equal(choice.selected.sample_ids, recorder.selections[1].sample_ids)
    if config.strategy == "entropy":
        assert choice.losses is not None and choice.losses.std() > 0.01


def test_own_captions_and_no_captions_both_work(settings: Settings, tmp_path: Path) -> None:
    told = make_samples(tmp_path / "told", n=45, captions=True)
    trained = replace(CONFIG, rounds=1, train_on_captions="yes")
    recorder, _ = finish(trained, told, settings, tmp_path / "run")
    silent = replace(CONFIG, rounds=1, caption_weight=0.0)
    without, _ = finish(silent, told, settings, tmp_path / "silent")
    # 6 images in batches of 4 over 4 epochs; CEA adds a row for each image.
    assert (without.results[0].batches, recorder.results[0].batches) == (4 * 2, 4 * 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"budget": "55"}, "only 54 labeled images can be selected"),
        ({"budget": "30"}, "2 rounds need 60 labeled images, but only 54 images of the pool"),
        ({"strategy": "vecav"}, "did you mean vecaf"),
        ({"model": "efficientnet_lite"}, "efficientnet_lite0"),
    ],
)
def test_an_invalid_configuration_is_refused_with_a_message(
    change: dict[str, str], words: str, samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        run_rounds(replace(CONFIG, **change), samples, MemoryRecorder(), tmp_path, settings)  # type: ignore[arg-type]


def test_one_class_only_is_refused(samples: Samples, settings: Settings, tmp_path: Path) -> None:
    one = replace(samples, labels=np.zeros_like(samples.labels))
    with pytest.raises(InputError, match=r"of one class \('disc'\)"):
        run_rounds(CONFIG, one, MemoryRecorder(), tmp_path, settings)
    none = replace(samples, labels=np.full_like(samples.labels, -1))
    with pytest.raises(InputError, match="no labeled images"):
        run_rounds(CONFIG, none, MemoryRecorder(), tmp_path, settings)
