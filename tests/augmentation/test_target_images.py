"""Adaptation to unlabeled images: centering, self-labeling, the boundary, and the refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vecaf.arrays import Floats, Labels, unit_rows
from vecaf.augmentation.source_domain import SourceDomain
from vecaf.augmentation.target_images import (
    MAX_CALLED_TARGET,
    Adaptation,
    LinearModel,
    adapt,
    effective_classes,
    find_boundary,
    uncentered,
)

K, D = 4, 40
RNG = np.random.default_rng(0)
CLASSES = RNG.normal(size=(K, D))
COMMON, DOMAIN = 3 * RNG.normal(size=(2, D))


def images(n: int, seed: int, *, target: bool) -> tuple[Floats, Labels]:
    """Draw raw features: a common part, the domain's part, the class, and noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(K, size=n)
    rows = COMMON + (DOMAIN if target else 0) + CLASSES[labels] + 2 * rng.normal(size=(n, D))
    return np.asarray(rows, np.float32), labels


class World:
    """A source with a classifier, and a target."""

    def __init__(self) -> None:
        pool, self.labels = images(400, 1, target=False)
        self.pool = unit_rows(pool)
        self.mean = self.pool.mean(axis=0)
        val, val_labels = images(100, 2, target=False)
        rows = self.center(pool[:40])
        self.source = SourceDomain(rows, self.labels[:40], self.center(val), val_labels)
        means = np.stack([rows[self.labels[:40] == c].mean(axis=0) for c in range(K)])
        self.model = LinearModel(np.asarray(means, np.float32), np.zeros(K, np.float32))

    def center(self, rows: Floats) -> Floats:
        return unit_rows(unit_rows(rows) - self.mean)

    def adapt(self, target: Floats, source: SourceDomain | None = None) -> Adaptation:
        return adapt(self.model, self.mean, self.pool, source or self.source, target)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_adaptation_helps_on_the_target_and_spares_the_source(world: World) -> None:
    target, _ = images(300, 3, target=True)
    new, labels = images(300, 4, target=True)
    found = world.adapt(target)
    assert found.adapted and "300 target images" in found.reason
    before = (world.model.logits(world.center(new)).argmax(axis=1) == labels).mean()
    rows = unit_rows(unit_rows(new) - found.mean)
    centered = (world.model.logits(rows).argmax(axis=1) == labels).mean()
    after = (found.model.logits(rows).argmax(axis=1) == labels).mean()
    assert before + 0.05 < centered < after
    assert found.boundary.is_target(unit_rows(new)).mean() > 0.95
    again = world.adapt(target)
    assert np.array_equal(again.predicted, found.predicted)


def test_too_few_images_are_refused(world: World) -> None:
    for n in (0, 1, 19):
        found = world.adapt(images(n, 5, target=True)[0])
        assert not found.adapted and f"there are only {n} of them" in found.reason


def test_a_target_whose_images_look_alike_is_refused(world: World) -> None:
    found = world.adapt(np.tile(images(1, 6, target=True)[0], (50, 1)))
    assert not found.adapted and "too few classes" in found.reason


def test_without_validation_images_harm_is_unknown(world: World) -> None:
    few = replace(
        world.source,
        val_features=world.source.val_features[:19],
        val_labels=world.source.val_labels[:19],
    )
    found = world.adapt(images(100, 7, target=True)[0], few)
    assert not found.adapted and "validation images" in found.reason


def test_harm_on_the_source_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecaf.augmentation.target_images.MAX_CALLED_TARGET", 0.5)
    swapped = (world.source.val_labels + 1) % K  # what the model predicts is then often wrong
    correct = world.model.logits(world.source.val_features).argmax(axis=1)
    perfect = replace(world.source, val_labels=correct)
    found = world.adapt(images(300, 8, target=False)[0], perfect)
    assert not found.adapted and "validation accuracy would drop by " in found.reason
    assert world.adapt(images(300, 8, target=True)[0], replace(perfect, val_labels=swapped)).adapted


def test_the_boundary_keeps_the_source_on_its_side(world: World) -> None:
    overlapping = unit_rows(images(300, 10, target=False)[0])  # the same domain
    held_out = unit_rows(images(200, 11, target=False)[0])
    found = find_boundary(world.pool, overlapping, held_out)
    assert found.is_target(held_out).mean() <= MAX_CALLED_TARGET
    apart = find_boundary(world.pool, unit_rows(images(300, 12, target=True)[0]), held_out)
    assert not apart.is_target(world.pool).any()


def test_effective_classes() -> None:
    assert effective_classes(np.repeat(np.arange(5), 3)) == pytest.approx(5)
    assert effective_classes(np.zeros(7, np.int64)) == pytest.approx(1)


def test_centering_can_be_undone(world: World) -> None:
    rows = world.center(np.asarray(world.pool))
    np.testing.assert_allclose(uncentered(rows, world.mean), world.pool, atol=1e-5)
