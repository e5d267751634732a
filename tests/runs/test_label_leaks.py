"""No strategy sees hidden labels, and none sees test labels.

The round loop runs on synthetic features, then again with every hidden label poisoned. Selected
images, scores and weights must be identical to the last bit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from numpy.testing import assert_array_equal

from vecaf.arrays import unit_rows
from vecaf.augmentation.text_guidance import TextGuidance
from vecaf.config import LABEL_FREE, LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders.vision_models import load_pvm
from vecaf.runs.plan import RunPlan
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import do_rounds
from vecaf.selection import STRATEGIES
from vecaf.store import TEST, TRAIN, VAL
from vecaf.training.context import TrainingContext
from vecaf.training.learner import Learner
from vecaf.training.model import CenteredFeatures
from vecaf.training.reporter import Monitor

CLASSES = ("ash", "birch", "cedar", "dogwood")
ROUNDS, BUDGET = 2, 9
MONITOR = Monitor(progress=lambda done, total: None, should_stop=lambda: False)

Rows = npt.NDArray[np.int64]


def made_up(n: int = 180, d: int = 12) -> tuple[Samples, npt.NDArray[np.float32]]:
    """Return samples and features of overlapping clusters. Accuracy then differs between epochs."""
    rng = np.random.default_rng(5)
    labels = rng.integers(len(CLASSES), size=n)
    features = (rng.normal(size=(4, d))[labels] + 1.3 * rng.normal(size=(n, d))).astype(np.float32)
    names = [f"{row:064x}" for row in range(n)]
    samples = Samples(
        classes=CLASSES,
        ids=np.arange(n, dtype=np.int64) * 5 + 2,
        keys=tuple(names),
        paths=tuple(Path(name) for name in names),
        splits=np.array([(TRAIN, TRAIN, TRAIN, VAL, TEST)[row % 5] for row in range(n)]),
        labels=labels.astype(np.int64),
        captions=(None,) * n,  # so that captions contain the labels that are visible
        short_sides=np.full(n, 32, dtype=np.int64),
        excluded=np.zeros(n, dtype=bool),
    )
    return samples, features


@dataclass(frozen=True)
class ToyEncoder:
    """Embeds a text by its hash, and an image by its first features."""

    features: npt.NDArray[np.float32]

    def embed_texts(self, texts: list[str]) -> npt.NDArray[np.float32]:
        seeds = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in texts]
        rows = [np.random.default_rng(seed).normal(size=8) for seed in seeds]
        return unit_rows(np.array(rows, np.float32))

    def embed_rows(self, rows: Rows) -> npt.NDArray[np.float32]:
        return unit_rows(self.features[rows, :8])

    def learned_shift(self, difference: npt.NDArray[np.float32]) -> None:
        """Learned nothing."""


class Run:
    """A finished run on synthetic data: its selections, results, and final weights."""

    def __init__(self, config: RunConfig, labels: Rows, folder: Path) -> None:
        samples, features = made_up()
        samples = replace(samples, labels=labels)
        plan = RunPlan.of(config, samples)
        centered = CenteredFeatures.of(features, samples.pool, "cpu")
        pvm = load_pvm("efficientnet_lite0")
        context = TrainingContext(config, samples, centered, pvm, "cpu", folder, MONITOR)
        learner = Learner(context)
        guidance = TextGuidance(
            captions=samples.captions,
            classes=CLASSES,
            strength=config.caption_weight,
            trained=config.train_on_captions == "yes",
            encoder=ToyEncoder(features),
            target=config.target_words,
        )
        recorder = MemoryRecorder()
        do_rounds(plan, learner, guidance, recorder, folder)
        self.picks, self.results = recorder.selections, recorder.results
        self.weights = learner.head_training.trained().state_dict()

    def picked(self, rounds: int) -> Rows:
        """Sample ids that the first `rounds` rounds selected."""
        first = [self.picks[number].sample_ids for number in range(1, rounds + 1)]
        return np.concatenate([np.empty(0, np.int64), *first])

    def same_selection(self, other: Run, rounds: int) -> None:
        for number in range(1, rounds + 1):
            mine, theirs = self.picks[number], other.picks[number]
            assert_array_equal(mine.sample_ids, theirs.sample_ids, err_msg=f"round {number}")
            assert mine.scores.keys() == theirs.scores.keys()
            for name, part in mine.scores.items():
                assert_array_equal(part, theirs.scores[name], err_msg=f"{name}, round {number}")

    def same_weights(self, other: Run) -> None:
        for name, tensor in self.weights.items():
            assert torch.equal(tensor, other.weights[name]), name


def poisoned(hidden: npt.NDArray[np.bool_]) -> Rows:
    """The labels, with every hidden one replaced by another class."""
    samples, _ = made_up()
    return np.where(hidden, (samples.labels + 1) % len(CLASSES), samples.labels)


def config_for(strategy: str, track: str) -> RunConfig:
    return RunConfig(
        strategy=strategy, track=track, budget=str(BUDGET), rounds=ROUNDS, epochs=6, batch_size=4,
        head_init="text",
    )  # fmt: skip


RECIPES: dict[str, dict[str, Any]] = {
    "text": {"head_init": "text"},
    "means": {"head_init": "means"},
    "patience": {"patience": 1},
    "target-words": {"target_words": "in thick fog"},
    "silent": {"caption_weight": 0.0},
    "captions": {"train_on_captions": "yes"},
}
"""Recipes that could leak labels in other ways than the defaults."""
KNOWN_RECIPES = RECIPES | {
    "one-schedule": {"schedule": "run"},
    "replaced": {"training_images": "replace"},
}


def serving(track: str) -> list[str]:
    return [name for name in sorted(STRATEGIES) if track in STRATEGIES[name].info.tracks]


@pytest.mark.parametrize("strategy", serving(LABEL_FREE))
def test_label_free_hidden_labels_have_no_effect(strategy: str, tmp_path: Path) -> None:
    label_free(config_for(strategy, LABEL_FREE), tmp_path)


@pytest.mark.parametrize("recipe", RECIPES)
def test_label_free_hidden_labels_have_no_effect_with_any_recipe(
    recipe: str, tmp_path: Path
) -> None:
    label_free(replace(config_for("vecaf", LABEL_FREE), **RECIPES[recipe]), tmp_path)


def label_free(config: RunConfig, tmp_path: Path) -> None:
    samples, _ = made_up()
    honest = Run(config, samples.labels, tmp_path / "honest")
    for rounds in range(ROUNDS + 1):
        known = (samples.splits == VAL) | np.isin(samples.ids, honest.picked(rounds))
        other = Run(config, poisoned(~known), tmp_path / f"after-{rounds}")
        honest.same_selection(other, min(rounds + 1, ROUNDS))
    honest.same_weights(other)  # the visible labels are the same, and hidden ones have no effect
    assert honest.results[-1].test_accuracy != other.results[-1].test_accuracy


@pytest.mark.parametrize("strategy", serving(LABELS_KNOWN))
def test_labels_known_test_labels_have_no_effect(strategy: str, tmp_path: Path) -> None:
    labels_known(config_for(strategy, LABELS_KNOWN), tmp_path)


@pytest.mark.parametrize("recipe", KNOWN_RECIPES)
def test_labels_known_test_labels_have_no_effect_with_any_recipe(
    recipe: str, tmp_path: Path
) -> None:
    labels_known(replace(config_for("vecaf", LABELS_KNOWN), **KNOWN_RECIPES[recipe]), tmp_path)


def labels_known(config: RunConfig, tmp_path: Path) -> None:
    samples, _ = made_up()
    honest = Run(config, samples.labels, tmp_path / "honest")
    other = Run(config, poisoned(samples.splits == TEST), tmp_path / "poisoned")
    honest.same_selection(other, ROUNDS)
    honest.same_weights(other)
    assert honest.results[-1].test_accuracy != other.results[-1].test_accuracy


def test_a_visible_label_has_an_effect(tmp_path: Path) -> None:
    """The comparisons above can fail: they do if one visible label is poisoned."""
    samples, _ = made_up()
    config = config_for("vecaf", LABEL_FREE)
    honest = Run(config, samples.labels, tmp_path / "honest")
    one_selected = np.isin(samples.ids, honest.picked(1)[:1])
    other = Run(config, poisoned(one_selected), tmp_path / "poisoned")
    honest.same_selection(other, 1)
    with pytest.raises(AssertionError):
        honest.same_selection(other, 2)
    with pytest.raises(AssertionError):
        honest.same_weights(other)
