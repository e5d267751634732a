"""The card on a run's page that says what more labels would gain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.app.test_forecast import result, with_forecast
from tests.browser.studio import Server
from vecaf.store import Event, Round, Store


@pytest.fixture
def forecast_run(server: Server, run: str) -> Iterator[str]:
    """Return the path of a run. During the test, its last round has 80% and a forecast."""
    key = (int(run.rpartition("=")[2]), 2)
    store = server.store()
    with store.write() as session:
        last = session.get_one(Round, key)
        before = (last.test_accuracy, last.forecast)
    _change(store, key, (0.8, with_forecast([result(2, 100, 0.8)]).forecast))
    yield run
    _change(store, key, before)
    store.close()


def _change(store: Store, key: tuple[int, int], values: tuple[Any, Any]) -> None:
    """Change a round, and add a log entry to its run, so that no cached page is shown."""
    with store.write() as session:
        last = session.get_one(Round, key)
        last.test_accuracy, last.forecast = values
        session.add(Event(run_id=key[0], message="The forecast has changed."))


@pytest.mark.parametrize("width", [1440, 390])
def test_a_run_says_what_more_labels_would_gain(
    width: int, open_page: Callable[..., Any], forecast_run: str
) -> None:
    page = open_page(forecast_run, width=width)
    card = page.locator("section.card", has=page.get_by_role("heading", name="Forecast"))
    card.scroll_into_view_if_needed()
    expect(card).to_contain_text("70 to 90% of the measured changes were in the 80% interval")
    gains, targets = card.locator("table").all()
    expect(gains.locator("tbody th")).to_have_text(["50", "100", "200"])
    expect(gains.locator("tbody td").first).to_have_text(re.compile(r"^\+\d+\.\d$"))
    expect(targets.locator("thead")).to_contain_text("Target accuracy")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
