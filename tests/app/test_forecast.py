"""The card "Forecast" of a run's page, and where later accuracies come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.runs.forecast_view import forecast
from tests.evaluation.test_forecast import labeled_rows
from tests.finished import NAME, new_studio
from vecaf.config import RunConfig
from vecaf.errors import NotFoundError
from vecaf.runs.forecasting import forecast_gains, measured_accuracies
from vecaf.store import FINISHED, Round, Run, Store
from vecaf.store.records import RoundResult
from vecaf.store.runs import later_accuracies


def result(number: int, labeled: int, accuracy: float | None) -> RoundResult:
    return RoundResult(number, labeled, 4 * labeled, None, accuracy, 1.0)


def with_forecast(results: list[RoundResult], pool: int = 1000) -> RoundResult:
    """Return the last result with a forecast."""
    rows, labels = labeled_rows(results[-1].labeled)
    made = forecast_gains(rows, labels, None, measured_accuracies(results, 200), pool)
    last = results[-1]
    return RoundResult(
        last.number, last.labeled, last.batches, None, last.test_accuracy, 1.0, forecast=made
    )


def test_the_card_shows_gains_targets_and_what_came() -> None:
    first = with_forecast([result(1, 100, 0.8)])
    alone = forecast([first])
    assert "More labels" in alone and "80% interval" in alone and "85%" in alone
    assert "Earlier forecasts" not in alone
    second = with_forecast([first, result(2, 150, 0.84)])
    both = forecast([first, second])
    assert "Earlier forecasts" in both and "of 1 measured value in the interval" in both
    assert "+4.0" in both  # what came of the first forecast
    later = forecast([first], [(150, 0.70)])
    assert "−10.0" in later and "0 of 1 measured value" in later


def test_the_card_says_which_measured_changes_are_interpolated() -> None:
    first = with_forecast([result(1, 100, 0.8)])
    exact = forecast([first, result(2, 150, 0.84)])
    assert "+4.0" in exact and "interpolated" not in exact
    between = forecast([first, result(2, 160, 0.86)])
    assert "+5.0" in between and "(interpolated between rounds at 100 and 160 labels)" in between
    newest = forecast([first], [(160, 0.86)])
    assert "(interpolated between rounds at 100 and 160 labels)" in newest


def test_a_card_without_a_forecast_says_why() -> None:
    perfect = forecast([with_forecast([result(1, 100, 1.0)], pool=120)])
    assert "Fewer than 50 images of the pool are left to select" in perfect
    assert "already 100.0% with 100 labels" in perfect
    assert "How the test accuracy is expected" not in perfect and "<table" not in perfect
    large = forecast([with_forecast([result(1, 100, 1.0)], pool=1000)])
    assert "There is no forecast" not in large and "<table" in large


def test_without_test_images_or_in_an_old_run_there_is_no_card() -> None:
    assert forecast([result(1, 100, 0.8)]) == ""
    assert forecast([with_forecast([result(1, 100, None)])]) == ""


def test_horizons_end_with_the_pool() -> None:
    gains = with_forecast([result(1, 100, 0.8)], pool=220).forecast["gains"]
    assert list(gains) == ["50", "100"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store with three runs: 1, 2 with another budget, 3 with another strategy."""
    store = new_studio(tmp_path / "home")
    settings: tuple[dict[str, Any], ...] = (
        {"budget": "8"}, {"budget": "16", "seed": 1}, {"strategy": "random"},
    )  # fmt: skip
    with store.write() as session:
        for number, changed in enumerate(settings, 1):
            config = RunConfig.from_dict({"dataset": NAME, **changed}).as_dict()
            session.add(Run(owner_id=store.owner(), dataset_id=1, name="r", seed=0, config=config,
                            state=FINISHED))  # fmt: skip
            session.flush()
            session.add(Round(run_id=number, number=1, labeled=8 * number, batches=4,
                              val_accuracy=None, test_accuracy=0.5 + number / 10, confusion={},
                              seconds=1.0))  # fmt: skip
    return store


def test_later_runs_with_the_same_settings_continue_the_curve(store: Store) -> None:
    with store.read() as session:
        me = store.owner()
        assert later_accuracies(session, me, 1) == [(16, 0.7)]
        assert later_accuracies(session, me, 2) == later_accuracies(session, me, 3) == []
        with pytest.raises(NotFoundError):
            later_accuracies(session, me, 99)
