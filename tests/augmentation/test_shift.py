"""Target words: sentences, directions, strengths, and augmented features."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pytest

from vecaf.augmentation.shift import STRENGTHS, Shift, find_shift, random_direction
from vecaf.augmentation.shift_checks import agreement_of, reach_of
from vecaf.augmentation.shift_text import TEMPLATES, sentences, text_directions
from vecaf.augmentation.source_domain import SourceDomain, moved
from vecaf.augmentation.text_guidance import TextGuidance

Floats = np.ndarray
CLASSES = ("cat", "dog")
WIDTH, DEEP = 12, 20  # of the space of texts, of features


def unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), dtype=np.float32)


def by_content(text: str, width: int = WIDTH) -> Floats:
    """A unit vector by the hash of a text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return unit(np.random.default_rng(seed).normal(size=width))


def embed(texts: list[str]) -> Floats:
    """A toy text encoder: axes for the class, for the kitchen and for fog."""
    rows = []
    for text in texts:
        row = np.zeros(WIDTH)
        row[0 if "cat" in text else 1] = 1.0
        row[-1] = 1.0 if "fog" in text else 0.0
        row[-2] = 1.0 if "kitchen" in text else 0.0
        rows.append(row)
    return np.array(rows, dtype=np.float32)


@pytest.fixture(scope="module")
def world() -> tuple[Floats, Floats, Floats]:
    """Embeddings (n, WIDTH), features (n, DEEP), labels (n,).

    Fog (the last text axis) varies and shows in features; the kitchen (the one before) does not.
    """
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 240)
    embeddings = 0.1 * rng.normal(size=(240, WIDTH))
    embeddings[np.arange(240), labels] += 1
    embeddings[:, -1] += rng.normal(size=240)
    embeddings[:, -2] = 0.0
    seen = np.linalg.qr(rng.normal(size=(DEEP, WIDTH)))[0].T
    features = unit(embeddings @ seen + 0.02 * rng.normal(size=(240, DEEP)))
    return embeddings.astype(np.float32), features, labels


def find(words: str, world: tuple[Floats, Floats, Floats], val: int = 80) -> Shift:
    embeddings, features, labels = world
    source = SourceDomain(
        features[:60], labels[:60], features[60 : 60 + val], labels[60 : 60 + val]
    )
    return find_shift(words, CLASSES, embed, embeddings, features, source)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("in thick fog", "a photo of a polar bear in thick fog"),
        ("a line drawing of", "a line drawing of polar bear"),
        ("a Cartoon of a", "a Cartoon of a polar bear"),
        ("  a {}   from above ", "a polar bear from above"),
        ("made of wood", "a photo of a polar bear made of wood"),
    ],
)
def test_words_find_their_place_in_a_sentence(words: str, said: str) -> None:
    pairs = sentences(words, "polar_bear")
    assert len(pairs) == len(TEMPLATES)
    assert pairs[0] == ("a photo of a polar bear", said)


def test_a_direction_is_the_mean_difference_of_sentences() -> None:
    def tower(texts: list[str]) -> Floats:
        return np.stack([by_content(text) for text in texts])

    found = text_directions("in fog", CLASSES, tower)
    for row, name in zip(found, CLASSES, strict=True):
        plain, shifted = (
            tower(list(side)) for side in zip(*sentences("in fog", name), strict=True)
        )
        np.testing.assert_allclose(row, (shifted - plain).mean(axis=0), atol=1e-6)


def test_known_words_move_features_in_their_direction(
    world: tuple[Floats, Floats, Floats],
) -> None:
    embeddings, features, _ = world
    shift = find("in fog", world)
    assert shift.strength in STRENGTHS and shift.reach > 0.9 and shift.agreement > 0.8
    foggy = features[embeddings[:, -1] > 1].mean(axis=0) - features[embeddings[:, -1] < -1].mean(
        axis=0
    )
    assert float(shift.direction @ unit(foggy)) > 0.9
    after = shift.move(features)
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, atol=1e-5)
    assert ((after - features) @ unit(foggy)).min() > -1e-3


def test_unknown_words_have_no_effect_and_say_so(world: tuple[Floats, Floats, Floats]) -> None:
    shift = find("in the kitchen", world)
    assert shift.strength == 0 and shift.reach < 0.1
    assert "has no effect" in shift.reason and "kitchen" in shift.reason
    np.testing.assert_allclose(shift.move(world[1]), world[1], atol=1e-6)


def test_unmoved_copies_change_no_prediction() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=140)
    rows = 0.3 * rng.normal(size=(3, 64))[labels] + rng.normal(size=(140, 64))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    features = rows.astype(np.float32)
    source = SourceDomain(features[:60], labels[:60], features[60:], labels[60:])
    alone = source.correct_with(features[:0])
    assert 0.4 < alone.mean() < 0.95
    for copies in (1, 4):
        np.testing.assert_array_equal(
            source.correct_with(np.tile(features[:60], (copies, 1))), alone
        )


def test_a_shift_does_not_reduce_validation_accuracy(world: tuple[Floats, Floats, Floats]) -> None:
    """The direction of fog equals the difference of the classes."""
    embeddings, _, labels = world
    features = unit(
        np.eye(2, DEEP)[labels]
        + 0.3 * embeddings[:, -1:] * (np.eye(2, DEEP)[1:] - np.eye(2, DEEP)[:1])
    )
    shift = find("in fog", (embeddings, features, labels))
    source = SourceDomain(features[:60], labels[:60], features[60:140], labels[60:140])
    before = source.correct(0 * shift.direction).mean()
    after = source.correct(shift.strength * shift.direction).mean()
    assert after >= before - 0.05


def test_without_validation_images_the_smallest_strength_is_used(
    world: tuple[Floats, Floats, Floats],
) -> None:
    assert find("in fog", world, val=5).strength == STRENGTHS[0]


def test_agreement_is_about_zero_for_noise() -> None:
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(400, WIDTH)).astype(np.float32)
    noise = unit(rng.normal(size=(400, DEEP)))
    values = [
        agreement_of(unit(rng.normal(size=WIDTH)), embeddings, noise, seed) for seed in range(20)
    ]
    assert abs(np.mean(values)) < 0.1
    assert agreement_of(embeddings[0], embeddings[:5], noise[:5]) == 0


def test_reach_is_a_share_of_energy() -> None:
    rows = np.zeros((50, 4), dtype=np.float32)
    rows[:, :2] = np.random.default_rng(2).normal(size=(50, 2))
    assert reach_of(np.array([1, 0, 0, 0], np.float32), rows) == pytest.approx(1, abs=1e-5)
    assert reach_of(np.array([1, 0, 1, 0], np.float32), rows) == pytest.approx(0.5, abs=1e-5)
    assert reach_of(np.array([0, 0, 0, 1], np.float32), rows) == pytest.approx(0, abs=1e-5)
    assert (
        reach_of(np.zeros(4, np.float32), rows) == reach_of(np.ones(4, np.float32), 0 * rows) == 0
    )


def test_the_control_has_unit_length_and_its_seed() -> None:
    one, again, other = (random_direction(30, seed) for seed in (1, 1, 2))
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-6)
    assert (one == again).all() and not (one == other).all()
    np.testing.assert_allclose(moved(one[None], 0 * one), one[None], atol=1e-6)


@dataclass(frozen=True)
class ToyEncoder:
    """A toy VLM that knows the images' embeddings; None forbids asking for them."""

    images: Floats | None

    def embed_texts(self, texts: list[str]) -> Floats:
        return embed(texts)

    def embed_rows(self, rows: np.ndarray) -> Floats:
        assert self.images is not None, "captions should represent the images"
        return np.asarray(self.images[rows])

    def learned_shift(self, difference: Floats) -> None:
        """Learned nothing."""


def test_augmented_features_are_pulled_and_moved(world: tuple[Floats, Floats, Floats]) -> None:
    embeddings, features, labels = world
    rows, positions = np.arange(240), np.arange(60)
    source = SourceDomain(features[:60], labels[:60], features[60:140], labels[60:140])
    hidden = np.where(np.arange(240) < 60, labels, -1)
    off = TextGuidance([None] * 240, CLASSES, 0.0, ToyEncoder(embeddings))

    found, reason = off.augmented(features, rows, hidden, positions, source)
    assert found.shape == (0, DEEP) and not reason
    foggy = replace(off, strength=0.25, target="in fog", trained=True)
    found, reason = foggy.augmented(features, rows, hidden, positions, source)
    assert found.shape == (120, DEEP) and "“in fog” moves features" in reason
    np.testing.assert_allclose(found[:60], foggy.pull(features, rows, hidden)[positions])
    unknown = replace(off, target="in the kitchen")
    found, reason = unknown.augmented(features, rows, hidden, positions, source)
    assert found.shape == (0, DEEP) and "has no effect" in reason


def test_captions_represent_the_images_if_most_have_one(
    world: tuple[Floats, Floats, Floats],
) -> None:
    _, features, labels = world
    source = SourceDomain(features[:60], labels[:60], features[60:140], labels[60:140])
    captions: list[str | None] = [
        f"a {CLASSES[label]}{' in fog' * (i % 2)}" for i, label in enumerate(labels)
    ]
    captions[3] = None
    guidance = TextGuidance(captions, CLASSES, 0.0, ToyEncoder(None), target="in fog")
    shift = guidance.shift(features, np.arange(240), source)
    assert shift.reach == pytest.approx(1, abs=1e-4)


def test_predictions_replace_hidden_labels(world: tuple[Floats, Floats, Floats]) -> None:
    embeddings, _, labels = world
    guidance = TextGuidance([None] * 240, CLASSES, 0.0, ToyEncoder(embeddings))
    hidden = np.where(np.arange(240) % 2, labels, -1)
    found = guidance.classes_of(np.arange(240), hidden)
    assert (found[1::2] == labels[1::2]).all() and (found == labels).mean() > 0.9
