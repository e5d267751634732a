"""The contract of metrics; a new one is tested by being registered."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from vecaf.arrays import Floats, Labels
from vecaf.errors import InputError
from vecaf.evaluation.metrics import METRICS, describe_metrics, measure, metric

named = pytest.mark.parametrize("name", sorted(METRICS))


def predictions(n: int, k: int, seed: int) -> tuple[Floats, Labels]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3, (n, k)).astype(np.float32), rng.integers(0, k, n)


@named
@examples(20)
@given(n=st.integers(1, 60), k=st.integers(1, 6), seed=st.integers(0, 2**32))
def test_values_are_within_the_bounds_in_any_order(name: str, n: int, k: int, seed: int) -> None:
    logits, labels = predictions(n, k, seed)
    low, high = METRICS[name].info.bounds
    value = METRICS[name](logits, labels)
    assert type(value) is float and math.isfinite(value) and low <= value <= high
    order = np.random.default_rng(seed + 1).permutation(n)
    assert METRICS[name](logits[order], labels[order]) == pytest.approx(value, abs=1e-6)


@named
@pytest.mark.parametrize("present", [1, 2, 5], ids=["one class", "two classes", "all classes"])
def test_perfect_predictions_have_the_best_value(name: str, present: int) -> None:
    labels = np.arange(40) % present
    logits = (60 * np.eye(5)[labels]).astype(np.float32)
    assert METRICS[name](logits, labels) == pytest.approx(METRICS[name].info.best, abs=1e-6)


@named
def test_wrong_predictions_are_worse(name: str) -> None:
    labels = np.arange(40) % 5
    right, wrong = (60 * np.eye(5)[(labels + shift) % 5] for shift in (0, 1))
    best, worst = (METRICS[name](logits.astype(np.float32), labels) for logits in (right, wrong))
    assert worst < best if METRICS[name].info.direction == "higher" else worst > best


@named
def test_a_description_fits_in_tables_and_sentences(name: str) -> None:
    info = METRICS[name].info
    assert info.name == name and name.isidentifier() and not name.startswith(("val_", "test_"))
    assert info.label and info.label == info.label.strip() and not info.label[0].isupper()
    assert info.description.endswith(".")
    assert info.text(None) == "–" and info.text(info.best)


def test_measure_computes_every_metric() -> None:
    logits, labels = predictions(30, 4, 0)
    assert list(measure(logits, labels)) == [info.name for info in describe_metrics()]
    assert measure(logits[:0], labels[:0]) == {}


def test_nan_predictions_are_refused() -> None:
    logits, labels = predictions(30, 4, 0)
    logits[3, 2] = np.nan
    with pytest.raises(InputError, match="contain NaN"):
        measure(logits, labels)


def test_a_name_can_be_registered_once() -> None:
    def accuracy(logits: Floats, labels: Labels) -> float:
        return 0.0

    with pytest.raises(ValueError, match="'accuracy' is registered twice"):
        metric(label="accuracy", description="A duplicate.")(accuracy)
