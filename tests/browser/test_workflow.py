"""The workflow bar: the steps of the dataset at hand and the next action, on every page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.browser.studio import Server


def test_the_workflow_bar_follows_the_dataset(
    open_page: Callable[..., Any], server: Server, dataset_id: int, run: str
) -> None:
    page = open_page(f"/explore?dataset={dataset_id}")
    bar = page.locator("nav.workflow")
    expect(bar.locator("[aria-current=step]")).to_contain_text("Predict")
    expect(bar.locator(".is-done")).to_have_count(4)
    expect(bar.locator(".is-ready")).to_contain_text("Explore: ready")
    action = bar.get_by_role("link", name="Use model")
    expect(action).to_be_visible()

    # A run names its dataset, too. The page that the button leads to does not show it.
    page.goto(server.url + run)
    expect(bar.locator(".workflow-name")).to_have_attribute("href", f"/?dataset={dataset_id}")
    action.click()
    page.wait_for_url("**/predict?run=*")
    expect(bar.locator("[aria-current=step]")).to_contain_text("Predict")
    expect(action).to_be_hidden()

    # Lists are about no dataset.
    page.goto(f"{server.url}/runs")
    page.wait_for_selector(".live:not([aria-busy])", state="attached")
    expect(bar).to_be_hidden()

    # On a phone it takes no more than the width of the screen.
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.url}/select?dataset={dataset_id}")
    expect(bar.locator("[aria-current=step]")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
