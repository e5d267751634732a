"""What "auto" stands for, by track, mode and size of the pool."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.shapes import make_samples
from vecaf.config import LABEL_FREE, LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.training.head_init import IMAGES_PER_FEATURE, with_head_init

FEATURES = 8


def pool_of(n: int, folder: Path) -> Samples:
    samples = make_samples(folder, 90)
    assert n <= len(samples.pool)
    return samples.take(np.sort(samples.pool[:n]))


@pytest.mark.parametrize(
    ("track", "mode", "enough", "expected"),
    [
        (LABEL_FREE, "head-only", True, "text"),
        (LABEL_FREE, "full", True, "text"),
        (LABELS_KNOWN, "head-only", True, "means"),
        (LABELS_KNOWN, "head-only", False, "text"),
        (LABELS_KNOWN, "full", True, "means"),
        (LABELS_KNOWN, "full", False, "zeros"),
        (LABELS_KNOWN, "lora", False, "zeros"),
    ],
)
def test_it_follows_the_track_the_mode_and_the_size_of_the_pool(
    track: str, mode: str, enough: bool, expected: str, tmp_path: Path
) -> None:
    samples = pool_of(IMAGES_PER_FEATURE[mode] * FEATURES + enough, tmp_path)
    config = RunConfig(track=track, mode=mode)
    assert with_head_init(config, samples, FEATURES) == replace(config, head_init=expected)


def test_a_strategy_that_needs_a_model_gets_one(tmp_path: Path) -> None:
    config = RunConfig(track=LABELS_KNOWN, mode="full", strategy="margin")
    assert with_head_init(config, pool_of(FEATURES, tmp_path), FEATURES).head_init == "text"


def test_images_without_label_do_not_count(tmp_path: Path) -> None:
    samples = pool_of(FEATURES + 1, tmp_path)
    config = RunConfig(track=LABELS_KNOWN)
    assert with_head_init(config, samples, FEATURES).head_init == "means"
    labels = samples.labels.copy()
    labels[0] = -1
    samples = replace(samples, labels=labels)
    assert with_head_init(config, samples, FEATURES).head_init == "text"


@pytest.mark.parametrize("chosen", ["zeros", "text", "means"])
def test_an_explicit_choice_stays(chosen: str, tmp_path: Path) -> None:
    config = RunConfig(track=LABELS_KNOWN, mode="full", head_init=chosen)
    assert with_head_init(config, pool_of(FEATURES, tmp_path), FEATURES) is config
