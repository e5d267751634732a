"""What "auto" stands for, by track, mode and size of the pool."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.shapes import make_samples
from vecaf.config import LABEL_FREE, LABELS_KNOWN, RunConfig
from vecaf.training.head_init import IMAGES_PER_FEATURE, with_head_init

N = 90


@pytest.mark.parametrize(
    ("track", "mode", "enough", "expected"),
    [
        (LABEL_FREE, "head-only", True, "text"),
        (LABEL_FREE, "full", True, "text"),
        (LABELS_KNOWN, "head-only", False, "means"),
        (LABELS_KNOWN, "full", True, "means"),
        (LABELS_KNOWN, "full", False, "text"),
        (LABELS_KNOWN, "lora", False, "text"),
    ],
)
def test_small_pools_start_whole_models_from_class_names(
    track: str, mode: str, enough: bool, expected: str, tmp_path: Path
) -> None:
    samples = make_samples(tmp_path, N)
    features = len(samples.pool) // IMAGES_PER_FEATURE + (not enough)
    config = RunConfig(track=track, mode=mode)
    assert with_head_init(config, samples, features) == replace(config, head_init=expected)


def test_only_labeled_images_of_the_pool_count(tmp_path: Path) -> None:
    samples = make_samples(tmp_path, N)
    labels = samples.labels.copy()
    labels[samples.pool[0]] = -1
    unlabeled = replace(samples, labels=labels)
    features = len(samples.pool) // IMAGES_PER_FEATURE
    config = RunConfig(track=LABELS_KNOWN, mode="full")
    exact = samples.take(np.sort(samples.pool[: features * IMAGES_PER_FEATURE]))
    assert with_head_init(config, exact, features).head_init == "means"
    fewer = unlabeled.take(np.sort(samples.pool[: features * IMAGES_PER_FEATURE]))
    assert with_head_init(config, fewer, features).head_init == "text"


@pytest.mark.parametrize("chosen", ["zeros", "text", "means"])
def test_an_explicit_choice_stays(chosen: str, tmp_path: Path) -> None:
    config = RunConfig(track=LABELS_KNOWN, mode="full", head_init=chosen)
    assert with_head_init(config, make_samples(tmp_path, N), 1000) is config
