"""Distances from the training data, and the threshold above which an image is unlike it."""

from __future__ import annotations

import numpy as np
import pytest

from vecaf.arrays import Floats, unit_rows
from vecaf.errors import InputError
from vecaf.evaluation.novelty import QUANTILE, fit_novelty


def around(axis: int, count: int, seed: int) -> Floats:
    """Draw unit rows (count, 8) near one axis."""
    noise = np.random.default_rng(seed).normal(scale=0.1, size=(count, 8))
    noise[:, axis] += 1
    return unit_rows(noise.astype(np.float32))


def test_images_from_elsewhere_are_unlike_the_training_data() -> None:
    novelty = fit_novelty(around(0, 40, 0), around(0, 200, 1))
    assert novelty.held_out and novelty.neighbors == 5
    assert (novelty.distances(around(3, 50, 2)) > novelty.threshold).all()
    share = (novelty.distances(around(0, 2000, 3)) > novelty.threshold).mean()
    assert share == pytest.approx(1 - QUANTILE, abs=0.05)
    assert "95% of the validation images" in novelty.sentence()


def test_without_held_out_images_the_training_images_set_the_threshold() -> None:
    training = around(0, 3, 0)
    novelty = fit_novelty(training, np.empty((0, 8), np.float32))
    assert not novelty.held_out and novelty.neighbors == 2
    assert 0 < novelty.threshold < 0.2
    assert "95% of the training images" in novelty.sentence()


def test_equal_images_have_no_distance() -> None:
    training = np.repeat(around(0, 1, 0), 6, axis=0)
    novelty = fit_novelty(training, training)
    assert novelty.distances(training[:1])[0] == pytest.approx(0, abs=1e-6)


def test_one_training_image_is_too_few() -> None:
    with pytest.raises(InputError, match="fewer than two"):
        fit_novelty(around(0, 1, 0), around(0, 9, 1))
