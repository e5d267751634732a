"""The shipped projection: shapes, words, and the program that fitted it."""

from __future__ import annotations

import numpy as np
import pytest

from tools.projection.closed_form import discriminant, moments, ridge_map
from tools.projection.domains import DOMAINS
from vecaf.augmentation.learned import MIN_NEARNESS
from vecaf.augmentation.shift import find_shift, random_shift
from vecaf.augmentation.source_domain import SourceDomain
from vecaf.encoders.projection import Projection, load_projection
from vecaf.encoders.vlm import VLM, load_vlm

CLASSES = ("dog", "guitar", "house")


@pytest.fixture(scope="module")
def vlm() -> VLM:
    return load_vlm("embedded")


@pytest.fixture(scope="module")
def shipped() -> Projection:
    return load_projection()


def test_the_weights_follow_the_domains(shipped: Projection) -> None:
    assert shipped.names == tuple(DOMAINS)
    t = shipped.tensors
    assert t["domain.mean"].shape == (len(DOMAINS) + 1, 1280)
    assert all(np.isfinite(tensor).all() for tensor in t.values())


@pytest.mark.parametrize(
    ("sentence", "domain"),
    [
        ("a cartoon of a {}", "cartoon"),
        ("a photo of a {} in dense fog", "fog"),
        ("a pencil sketch of a {}", "sketch"),
        ("a photo of a {} while it snows", "snow"),
    ],
)
def test_words_are_interpreted_as_their_domain(
    vlm: VLM, shipped: Projection, sentence: str, domain: str
) -> None:
    said, plain = (
        vlm.embed_texts([words.format(name) for name in CLASSES]).mean(axis=0)
        for words in (sentence, "a photo of a {}")
    )
    moves = shipped.learned_shift(said - plain, 224)
    assert moves.names[0][0] == domain and moves.nearness > MIN_NEARNESS
    assert moves.mean.shape == (1280,) and moves.spread.shape[1] == 1280
    small = shipped.learned_shift(said - plain, 96)
    assert not np.allclose(small.mean, moves.mean)


def test_unknown_words_have_no_effect(vlm: VLM) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 1280)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.arange(40) % 3
    source = SourceDomain(rows, labels, rows, labels)
    embeddings, learned = np.ones((40, 384), np.float32), vlm.learned_shift
    shift = find_shift(
        "in the kitchen", CLASSES, vlm.embed_texts, embeddings, rows, source, learned
    )
    assert shift.strength == 0 and "has no effect" in shift.reason

    known = find_shift(
        "a cartoon of a", CLASSES, vlm.embed_texts, embeddings, rows, source, learned
    )
    assert known.learned is not None and "cartoon" in known.reason
    other = random_shift(known, 3)
    assert other.learned is not None and other.strength > 0
    for mine, drawn in zip(
        (known.learned.mean, *known.learned.spread),
        (other.learned.mean, *other.learned.spread),
        strict=True,
    ):
        assert np.linalg.norm(mine) == pytest.approx(np.linalg.norm(drawn), rel=1e-4)
        assert abs(mine @ drawn) < 0.2 * (mine @ mine)
    copies = other.move(rows)
    assert len(copies) % len(rows) == 0
    np.testing.assert_allclose(np.linalg.norm(copies, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(copies, other.move(rows))


def test_transforms_keep_the_shape_and_depend_on_the_seed() -> None:
    image = np.random.default_rng(1).random((224, 224, 3)).astype(np.float32)
    for name in ("line", "fog", "mosaic", "lowres"):
        once, again = (
            DOMAINS[name].transform(image.copy(), np.random.default_rng(2)) for _ in range(2)
        )
        assert once.shape == image.shape and np.array_equal(once, again)
        assert np.abs(once - image).mean() > 0.01


def test_discriminant_and_ridge_map_recover_their_truth() -> None:
    rng = np.random.default_rng(3)
    group = rng.integers(0, 3, 600)
    rows = (rng.normal(size=(600, 8)) + 3 * np.eye(3, 8)[group]).astype(np.float32)
    mean, _ = moments(rows, group, 3)
    weight, bias = discriminant(rows, group, mean)
    assert ((rows @ weight + bias).argmax(axis=1) == group).mean() > 0.9
    truth = rng.normal(size=(8, 4)).astype(np.float32)
    found, center = ridge_map(rows, rows @ truth, np.ones(600, np.float32))
    targets = rows @ truth - (rows @ truth).mean(axis=0)
    guess = (rows - center) @ found
    assert np.corrcoef(guess.ravel(), targets.ravel())[0, 1] > 0.95
