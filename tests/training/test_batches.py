"""Batches and random views."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tests.shapes import write_shapes
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.encoders.preprocessing import Preprocessing, decode, pixels
from vecaf.training.batches import BatchOrder, ImageBatches, LabeledImages
from vecaf.training.passes import augmentation_strength, layer_decay
from vecaf.training.trainer import learning_rate_factor
from vecaf.training.views import random_views, resample

PREPROCESSING = Preprocessing(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 5))
def test_an_epoch_contains_every_row_once_and_epochs_differ(n: int, size: int, seed: int) -> None:
    order = BatchOrder(n, size, seed)
    steps = order.steps_per_epoch
    epochs = [
        np.concatenate([order.rows(step) for step in range(first, first + steps)])
        for first in (0, steps)
    ]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(n))
    if n > 10:
        assert not np.array_equal(epochs[0], epochs[1])
    again = BatchOrder(n, size, seed)  # the order of calls doesn't matter
    last = 2 * steps - 1
    assert np.array_equal(again.rows(last), order.rows(last))
    assert np.array_equal(again.rows(0), order.rows(0))


def test_image_batches_depend_only_on_the_step(tmp_path: Path) -> None:
    files = write_shapes(tmp_path, 10)
    train = LabeledImages([path for path, _ in files], np.array([label for _, label in files]))
    cpu = torch.device("cpu")
    one, other = (ImageBatches(train, PREPROCESSING, 4, seed=1, device=cpu) for _ in range(2))
    forward = [one(step) for step in range(6)]
    for step in (5, 2, 0, 3, 1, 4):
        images, labels = other(step)
        assert torch.equal(images, forward[step][0])
        assert torch.equal(labels, forward[step][1])
    sizes = [len(labels) for _, labels in forward]
    assert sizes == [4, 4, 2, 4, 4, 2]
    assert not torch.equal(forward[0][0], forward[3][0])
    one.close()
    other.close()


def test_crops_keep_the_range_and_a_flat_image_flat() -> None:
    rng = np.random.default_rng(0)
    images = torch.rand(8, 3, 24, 24)
    out = resample(images, random_views(8, rng))
    assert out.shape == images.shape
    assert out.min() >= images.min() and out.max() <= images.max()
    flat = torch.full((2, 3, 24, 24), 7.0)
    assert_allclose(resample(flat, random_views(2, rng)).numpy(), 7.0, rtol=1e-5)


def test_crops_and_flips_follow_the_strength() -> None:
    rng = np.random.default_rng(0)
    whole, mild, strong = (random_views(400, rng, strength) for strength in (0.0, 0.5, 1.0))
    images = torch.rand(400, 3, 16, 16)
    assert_allclose(resample(images, whole).numpy(), images.numpy(), atol=1e-5)
    for views, smallest, flipped in ((mild, 0.75, 100), (strong, 0.5, 200)):
        areas = np.abs(views[:, 0, 0] * views[:, 1, 1])
        assert smallest - 0.08 < areas.min() < smallest + 0.05  # stretched crops are cut at 1
        assert abs((views[:, 0, 0] < 0).sum() - flipped) < 40


def test_images_without_augmentation_are_only_normalized(tmp_path: Path) -> None:
    files = write_shapes(tmp_path, 5)
    train = LabeledImages([path for path, _ in files], np.array([label for _, label in files]))
    batches = ImageBatches(
        train, PREPROCESSING, 5, seed=1, device=torch.device("cpu"), augmentation=0.0
    )
    images, _ = batches(0)
    expected = [pixels(decode(train.paths[row]), PREPROCESSING) for row in batches.order.rows(0)]
    assert_allclose(images.numpy(), np.stack(expected).transpose(0, 3, 1, 2) / 127.5 - 1, atol=1e-5)
    batches.close()


def test_augmentation_and_layer_decay_follow_the_passes() -> None:
    few, some, many = (RunConfig(mode="full", epochs=epochs) for epochs in (2, 4, 20))
    assert [augmentation_strength(one) for one in (few, some, many)] == [0.0, 0.5, 1.0]
    assert_allclose([layer_decay(one) for one in (few, some, many)], [0.9, 0.825, 0.75])
    again = replace(few, track=LABELS_KNOWN, rounds=4)  # each round trains on the first images, too
    assert augmentation_strength(again) == 1.0
    assert augmentation_strength(replace(again, training_images="replace")) == 0.0
    assert augmentation_strength(replace(few, augmentation="full")) == 1.0
    assert augmentation_strength(replace(many, augmentation="none")) == 0.0
    assert layer_decay(replace(few, layer_decay=0.6)) == 0.6


def test_the_schedule_warms_up_and_ends_at_zero() -> None:
    rates = [learning_rate_factor(step, 200) for step in range(200)]
    assert rates[0] == 0.1 and max(rates) == 1.0 and rates.index(1.0) == 9
    assert rates[-1] < 1e-3
    assert all(a >= b for a, b in pairwise(rates[9:]))
    assert learning_rate_factor(0, 1) == 1.0
