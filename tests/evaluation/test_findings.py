"""Planted duplicates, outliers and wrong labels are found, with few false positives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from vecaf.arrays import unit_rows
from vecaf.arrays.neighbors import neighbor_graph
from vecaf.evaluation.findings.checks import label_errors, near_duplicates, outliers
from vecaf.evaluation.findings.held_out import held_out_probabilities

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
CLASSES = 4


def dataset(n: int = 400, seed: int = 0, spread: float = 0.22) -> tuple[Floats, Rows]:
    """Create unit rows of four slightly overlapping classes, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % CLASSES
    centers = unit_rows(rng.normal(size=(CLASSES, 16)).astype(np.float32))
    noise = rng.normal(scale=spread, size=(n, 16)).astype(np.float32)
    return unit_rows(centers[labels] + noise), labels


def test_identical_and_similar_images_are_grouped() -> None:
    space, _ = dataset()
    keys = [str(row) for row in range(len(space))]
    space[[7, 300]], keys[7], keys[300] = space[40], keys[40], keys[40]
    space[11] = unit_rows(space[12:13] + 0.02 * space[13:14])[0]
    near, cosine = neighbor_graph(space)
    exact, close = near_duplicates(keys, near, cosine, threshold=0.99)
    assert (exact.rows, exact.exact) == ([7, 40, 300], True)
    assert (close.rows, close.exact) == ([11, 12], False)
    assert 0.99 <= close.cosine < 1


@given(pairs=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=25))
def test_groups_are_connected_components(pairs: list[tuple[int, int]]) -> None:
    near, cosine = np.zeros((30, 30), np.int64), np.zeros((30, 30), np.float32)
    near[:] = np.arange(30)
    linked = np.eye(30, dtype=bool)
    for one, other in pairs:
        if one != other:
            cosine[one, other] = 1
            linked[one, other] = linked[other, one] = True
    for _ in range(5):
        linked = linked @ linked
    groups = near_duplicates([str(row) for row in range(30)], near, cosine)
    expected = {tuple(np.flatnonzero(row)) for row in linked if row.sum() > 1}
    assert {tuple(group.rows) for group in groups} == expected


def test_many_identical_files_form_one_group() -> None:
    near, cosine = neighbor_graph(np.tile(unit_rows(np.ones((1, 4), np.float32)), (50, 1)))
    (group,) = near_duplicates(["same"] * 50, near, cosine)
    assert group.rows == list(range(50)) and group.exact


def test_an_image_that_differs_from_all_others_is_an_outlier() -> None:
    space, _ = dataset()
    space[123] = -space.mean(axis=0)
    near, cosine = neighbor_graph(unit_rows(space))
    found = outliers(near, cosine)
    assert found[0].row == 123 and found[0].distance > 0.8
    assert len(found) <= 4  # 1% of 400
    assert found[0].neighbors == near[123, :5].tolist()
    assert [item.distance for item in found] == sorted((f.distance for f in found), reverse=True)


def test_evenly_spaced_images_have_no_outliers() -> None:
    circle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    space = np.stack([np.cos(circle), np.sin(circle)], axis=1).astype(np.float32)
    assert outliers(*neighbor_graph(space)) == []
    assert outliers(*neighbor_graph(space[:2])) == []


def errors_of(space: Floats, labels: Rows, classes: int = CLASSES) -> dict[int, int]:
    near, _ = neighbor_graph(space)
    probabilities = held_out_probabilities(space, labels, classes)
    return {item.row: item.suggested for item in label_errors(labels, probabilities, near)}


def test_planted_label_errors_are_found_with_the_correct_label() -> None:
    space, truth = dataset()
    rng = np.random.default_rng(3)
    wrong = rng.choice(len(space), 30, replace=False)
    labels = truth.copy()
    labels[wrong] = (truth[wrong] + rng.integers(1, CLASSES, 30)) % CLASSES
    found = errors_of(space, labels)
    hits = set(found) & set(wrong.tolist())
    assert len(hits) >= 27  # of 30
    assert len(found) - len(hits) <= 3
    assert all(found[row] == truth[row] for row in hits)


def test_correct_labels_are_not_reported() -> None:
    space, labels = dataset(spread=0.1)
    assert errors_of(space, labels) == {}


def test_the_evidence_of_a_label_error_is_correct() -> None:
    space, truth = dataset()
    labels = truth.copy()
    labels[8] = 1  # of class 0
    near, _ = neighbor_graph(space)
    probabilities = held_out_probabilities(space, labels, CLASSES)
    (found,) = (item for item in label_errors(labels, probabilities, near) if item.row == 8)
    assert (found.label, found.suggested) == (1, 0)
    assert found.confidence == probabilities[8, 0] and found.own == probabilities[8, 1]
    assert set(labels[found.neighbors]) == {0} and set(found.neighbors) <= set(near[8])
    assert found.agreeing == (labels[near[8]] == 0).mean()
    assert found.confirmed is None


def test_predictions_of_a_run_halve_the_required_margin() -> None:
    space, truth = dataset()
    labels = truth.copy()
    labels[8] = 1  # of class 0
    near, _ = neighbor_graph(space)
    probabilities = held_out_probabilities(space, labels, CLASSES)
    margin = 1.5 * float(probabilities[8, 0] - probabilities[8, 1])  # above the actual difference
    found = []
    for prediction in (0, 1, -1):
        predicted = np.full(len(labels), -1)
        predicted[8] = prediction
        errors = label_errors(labels, probabilities, near, predicted, margin=margin)
        found.append([item.confirmed for item in errors if item.row == 8])
    assert found == [[True], [], []]
    (denied,) = (e for e in label_errors(labels, probabilities, near, labels) if e.row == 8)
    assert denied.confirmed is False


def test_images_without_a_label_and_tiny_classes_are_not_judged() -> None:
    space, truth = dataset()
    labels = truth.copy()
    labels[truth == 0] = -1
    labels[np.flatnonzero(truth == 1)[3:]] = 2  # three of class 1 are left
    found = errors_of(space, labels)
    assert all(labels[row] not in (-1, 1) for row in found)
    assert not {0, 1} & set(found.values())


def test_fewer_than_two_classes_give_no_findings() -> None:
    space, _ = dataset(40)
    for labels in (np.full(40, -1), np.zeros(40, np.int64)):
        assert_array_equal(held_out_probabilities(space, labels, CLASSES), 0)
        assert errors_of(space, labels) == {}
    assert errors_of(space, np.full(40, -1), classes=0) == {}


def test_a_row_is_predicted_by_a_classifier_not_trained_on_it() -> None:
    # A classifier trained on these random labels would be far above chance.
    rng = np.random.default_rng(0)
    accuracy = []
    for _ in range(20):
        space = unit_rows(rng.normal(size=(60, 16)).astype(np.float32))
        labels = rng.integers(0, 2, 60)
        shares = held_out_probabilities(space, labels, 2)
        assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
        accuracy.append((shares.argmax(axis=1) == labels).mean())
    assert np.mean(accuracy) < 0.55
