"""What charts and the confusion matrix of a run show."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from app.runs import mistakes_view
from app.shell import markup as m
from app.shell.components.chart import series
from tests.app.test_pages import a_round, sample
from vecaf.store.records import RoundResult


def test_charts_get_numbers_alone() -> None:
    text = series(3, {"train_loss": [(1, 0.5)]}, [a_round(1, 0.4), a_round(2, 0.6)])
    assert '"x": [10, 20]' in text
    assert '"y": [0.4, 0.6]' in text
    assert '"marks": [5, 10]' in text


def charts_of(*rounds: RoundResult, ended: bool = True) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(series(3, {}, rounds, ended=ended))["charts"]
    return found


def test_a_chart_without_points_says_why() -> None:
    unmeasured = replace(a_round(1), test_accuracy=None, val_accuracy=None)
    for ended in (False, True):  # the first round shows already that there will be no value
        _, validation, by_round = charts_of(unmeasured, ended=ended)
        assert not validation["curves"] and not by_round["curves"]
        assert "no labeled validation images" in validation["wait"]
        assert "no labeled test or validation images" in by_round["wait"]
    assert [chart["wait"] for chart in charts_of(ended=False)][1:] == [
        "A point appears after each epoch.", "A point appears after each round.",
    ]  # fmt: skip
    assert all(chart["wait"].startswith("The run ended before") for chart in charts_of())


def test_a_chart_shows_only_curves_with_points() -> None:
    one = replace(a_round(1, 1.0), val_accuracy=None)
    by_round = charts_of(one)[2]
    assert [curve["name"] for curve in by_round["curves"]] == ["test"]
    low, high = by_round["range"]
    assert 0.9 < low < 1 <= high < 1.01


def test_the_lists_of_mistakes_claim_no_more_than_their_order() -> None:
    unsure = mistakes_view.Guess(sample(), true=0, predicted=1, confidence=0.26, loss=1.5)
    page = mistakes_view.mistakes([unsure], [unsure], ["cat", "dog"])
    assert "26.0%" in page
    assert "the lowest probability for the true class" in page
    assert "the highest probability for a wrong class" in page
    assert "certain" not in page and "ruled out" not in page


def test_worst_confusions_come_first() -> None:
    page = mistakes_view.confusion(3, [a_round()], ["cat", "dog"])
    assert "cat predicted as dog" in page
    assert "dog predicted as cat" not in page.split("worst")[1]
    big = [[1] * 41 for _ in range(41)]
    large = replace(a_round(), confusion=big)
    assert "<table" not in mistakes_view.confusion(3, [large], [str(i) for i in range(41)])
    untested = replace(a_round(), confusion=[[0, 0], [0, 0]])
    assert mistakes_view.confusion(3, [untested], ["cat", "dog"]) == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "3 s"), (61, "1 min 01 s"), (3720, "1 h 02 min")]
)
def test_durations(seconds: float, words: str) -> None:
    assert m.duration(seconds) == words
