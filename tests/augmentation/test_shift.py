"""Target words: the sentences, the direction they give, and a strength that does no harm."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from vecaf.augmentation.shift import (
    PLAIN,
    STRENGTHS,
    Clean,
    Shift,
    agreement_of,
    find_shift,
    moved,
    random_direction,
    reach_of,
    sentences,
    text_directions,
)
from vecaf.augmentation.words import Words

Floats = np.ndarray
CLASSES = ("cat", "dog")
WIDTH, DEEP = 12, 20  # of the space of texts, of features


def unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), dtype=np.float32)


def by_content(text: str, width: int = WIDTH) -> Floats:
    """A direction that a text stands for, always the same."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return unit(np.random.default_rng(seed).normal(size=width))


def embed(texts: list[str]) -> Floats:
    """A toy tower: the class, plus the last axis where fog is mentioned."""
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
    """Images whose last text axis (fog) varies and is seen in the features; the one before (the
    kitchen) does not vary at all. Evidence (n, WIDTH), features (n, DEEP), labels (n,)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 240)
    evidence = 0.1 * rng.normal(size=(240, WIDTH))
    evidence[np.arange(240), labels] += 1
    evidence[:, -1] += rng.normal(size=240)
    evidence[:, -2] = 0.0
    seen = np.linalg.qr(rng.normal(size=(DEEP, WIDTH)))[0].T
    features = unit(evidence @ seen + 0.02 * rng.normal(size=(240, DEEP)))
    return evidence.astype(np.float32), features, labels


def find(words: str, world: tuple[Floats, Floats, Floats], val: int = 80) -> Shift:
    evidence, features, labels = world
    clean = Clean(features[:60], labels[:60], features[60 : 60 + val], labels[60 : 60 + val])
    return find_shift(words, CLASSES, embed, evidence, features, clean)


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
    assert len(pairs) == len(PLAIN)
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


def test_words_that_images_know_move_features_their_way(
    world: tuple[Floats, Floats, Floats],
) -> None:
    evidence, features, _ = world
    shift = find("in fog", world)
    assert shift.strength in STRENGTHS and shift.reach > 0.9 and shift.agreement > 0.8
    foggy = features[evidence[:, -1] > 1].mean(axis=0) - features[evidence[:, -1] < -1].mean(axis=0)
    assert float(shift.direction @ unit(foggy)) > 0.9
    after = shift.move(features)
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, atol=1e-5)
    assert ((after - features) @ unit(foggy)).min() > -1e-3


def test_words_out_of_reach_move_nothing_and_say_so(world: tuple[Floats, Floats, Floats]) -> None:
    shift = find("in the kitchen", world)
    assert shift.strength == 0 and shift.reach < 0.1
    assert "moves nothing useful" in shift.reason and "kitchen" in shift.reason
    np.testing.assert_allclose(shift.move(world[1]), world[1], atol=1e-6)


def test_the_judge_of_harm_asks_how_far_copies_moved_and_not_how_many_they_are() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=140)
    rows = 0.3 * rng.normal(size=(3, 64))[labels] + rng.normal(size=(140, 64))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    features = rows.astype(np.float32)
    clean = Clean(features[:60], labels[:60], features[60:], labels[60:])
    alone = clean.right_with(features[:0])
    assert 0.4 < alone.mean() < 0.95
    for copies in (1, 4):
        np.testing.assert_array_equal(clean.right_with(np.tile(features[:60], (copies, 1))), alone)


def test_a_direction_that_costs_accuracy_is_not_gone(world: tuple[Floats, Floats, Floats]) -> None:
    """Words that turn one class into the other, as far as features can tell."""
    evidence, _, labels = world
    features = unit(
        np.eye(2, DEEP)[labels]
        + 0.3 * evidence[:, -1:] * (np.eye(2, DEEP)[1:] - np.eye(2, DEEP)[:1])
    )
    shift = find("in fog", (evidence, features, labels))
    clean = Clean(features[:60], labels[:60], features[60:140], labels[60:140])
    before = clean.right(0 * shift.direction).mean()
    after = clean.right(shift.strength * shift.direction).mean()
    assert after >= before - 0.05


def test_without_validation_images_the_least_is_gone(world: tuple[Floats, Floats, Floats]) -> None:
    assert find("in fog", world, val=5).strength == STRENGTHS[0]


def test_agreement_is_about_zero_where_there_is_nothing_to_agree_on() -> None:
    rng = np.random.default_rng(1)
    evidence = rng.normal(size=(400, WIDTH)).astype(np.float32)
    noise = unit(rng.normal(size=(400, DEEP)))
    values = [
        agreement_of(unit(rng.normal(size=WIDTH)), evidence, noise, seed) for seed in range(20)
    ]
    assert abs(np.mean(values)) < 0.1
    assert agreement_of(evidence[0], evidence[:5], noise[:5]) == 0


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


def words(
    own: list[str | None],
    target: str,
    heard: list[str],
    rows: Callable[[np.ndarray], Floats],
    strength: float = 0.0,
) -> Words:
    return Words(own, CLASSES, strength, embed, rows, target=target, say=heard.append)


def test_a_run_learns_picks_as_they_are_pulled_and_moved(
    world: tuple[Floats, Floats, Floats],
) -> None:
    evidence, features, labels = world
    rows, places = np.arange(240), np.arange(0, 60)
    val = (features[60:140], labels[60:140])
    hidden = np.where(np.arange(240) < 60, labels, -1)
    heard: list[str] = []
    silent: list[str | None] = [None] * 240
    nothing = words(silent, "", heard, lambda at: evidence[at])
    assert nothing.extra(features, rows, hidden, places, *val).shape == (0, DEEP) and not heard
    moving = words(silent, "in fog", heard, lambda at: evidence[at], strength=0.25)
    extra = moving.extra(features, rows, hidden, places, *val)
    assert extra.shape == (120, DEEP) and "“in fog” moves features" in heard[-1]
    np.testing.assert_allclose(extra[:60], moving.pull(features, rows, hidden)[places])
    out_of_reach = words(silent, "in the kitchen", heard, lambda at: evidence[at])
    assert out_of_reach.extra(features, rows, hidden, places, *val).shape == (0, DEEP)
    assert "moves nothing useful" in heard[-1]


def test_captions_stand_for_images_where_most_have_one(
    world: tuple[Floats, Floats, Floats],
) -> None:
    _, features, labels = world
    clean = Clean(features[:60], labels[:60], features[60:140], labels[60:140])

    def never(_: np.ndarray) -> Floats:
        raise AssertionError("captions are there")

    own: list[str | None] = [
        f"a {CLASSES[label]}{' in fog' * (i % 2)}" for i, label in enumerate(labels)
    ]
    own[3] = None
    told = words(own, "in fog", [], never).shift(features, np.arange(240), clean)
    assert told.reach == pytest.approx(1, abs=1e-4)


def test_guesses_fill_in_for_hidden_labels(world: tuple[Floats, Floats, Floats]) -> None:
    evidence, _, labels = world
    spoken = words([None] * 240, "", [], lambda at: evidence[at])
    hidden = np.where(np.arange(240) % 2, labels, -1)
    taken = spoken.guesses(np.arange(240), hidden)
    assert (taken[1::2] == labels[1::2]).all() and (taken == labels).mean() > 0.9
