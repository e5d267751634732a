"""Explore keeps its state through reloads, unfinished input, and failed requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from app.shell.array_bundle import pack
from tests.browser import exploring
from tests.browser.exploring import COUNT, Page, drawn
from tests.browser.network import held, until

page = exploring.page  # fixture


def bundle(arrays: dict[str, Any], meta: dict[str, Any] | None = None) -> Callable[[Any], None]:
    """Return a route handler that responds with a bundle."""
    body = pack(arrays, meta)
    return lambda route: route.fulfill(body=body, content_type="application/octet-stream")


@pytest.mark.soak
def test_a_runs_filters_and_order_are_the_same_after_a_reload(page: Page) -> None:
    n = 3 * COUNT
    loss = np.linspace(0, 2, n, dtype=np.float32)
    values = {
        "predicted": np.zeros(n, np.int16), "confidence": loss / 2, "loss": loss,
        "round": np.arange(n, dtype=np.uint8) % 3,
    }  # fmt: skip
    answer = bundle(values, {"run": 1})
    match = bundle({"v": loss[::-1].copy()})

    def ready(route: Any) -> None:
        start = (fetched := route.fetch(max_retries=3)).json()
        start["map"]["ready"] = [*start["map"]["ready"], "caption-match"]
        route.fulfill(response=fetched, json=start)

    page.route("**/start.json*", ready)
    page.route("**/state.json", ready)
    page.route("**/caption-match.bin", match)
    runs = held(page, "**/values.bin?run=1")
    page.goto(f"{page.url}&run=1")
    drawn(page)
    page.wait_for_function("explore.state.values.match")
    answer(until(page, runs))
    panel = page.locator("#x-panel-filters")
    panel.get_by_label("Loss from").fill("1")
    panel.get_by_label("Loss from").press("Enter")
    panel.get_by_label("Text in caption or file name").fill("triangle")
    page.wait_for_function(f"document.documentElement.dataset.gridCount === '{COUNT}'")
    page.get_by_label("Sort by").select_option("match")  # its values stayed after the run's
    page.wait_for_timeout(500)

    page.unroute("**/values.bin?run=1")
    page.route("**/values.bin?run=1", answer)
    page.unroute("**/caption-match.bin")
    matches = held(page, "**/caption-match.bin")
    page.reload()
    drawn(page)
    page.wait_for_function("explore.state.values.loss")
    page.wait_for_function(f"document.documentElement.dataset.gridCount === '{COUNT}'")
    match(until(page, matches))
    page.wait_for_function("explore.state.values.match")
    assert page.evaluate("explore.state.order[0]") == n - 1
    expect(panel.get_by_label("Loss from")).to_have_value("1")
    expect(panel.get_by_label("Loss to")).to_have_value("")
    expect(panel.get_by_label("Text in caption or file name")).to_have_value("triangle")
    heard = "explore.state.listeners.get('mask').length"
    before = page.evaluate(heard)
    page.evaluate("explore.chooseRun(explore.state, 1)")
    assert page.evaluate(heard) == before

    refused = held(page, "**/values.bin?run=2")
    page.evaluate("void explore.chooseRun(explore.state, 2)")
    late = until(page, refused)
    page.evaluate("explore.chooseRun(explore.state, 1)")
    with page.expect_response("**/values.bin?run=2"):
        late.fulfill(status=404, json={"error": "There is no run 2."})
    page.wait_for_timeout(200)
    assert page.evaluate("explore.state.run") == 1
    page.evaluate("void explore.chooseRun(explore.state, 2)")
    until(page, refused, 2).fulfill(status=404, json={"error": "There is no run 2."})
    expect(page.locator(".x-toast")).to_contain_text("There is no run 2.")
    assert page.evaluate("Object.keys(explore.state.values)") == ["match"]


@pytest.mark.soak
def test_the_best_map_is_shown_at_last(page: Page) -> None:
    def state(route: Any) -> None:
        told = (fetched := route.fetch(max_retries=3)).json()
        if under_way:
            told["map"] |= {"state": "running", "ended": False, "ready": ["pca"]}
        route.fulfill(response=fetched, json=told)

    under_way, refusals = True, 2

    def points(route: Any) -> None:
        nonlocal refusals
        refusals -= 1
        if refusals < 0:
            route.continue_()
        else:
            route.fulfill(status=503, json={"error": "Not now."})

    page.route("**/start.json*", state)
    page.route("**/state.json", state)
    page.route("**/points.bin?*", points)
    page.reload()
    drawn(page)  # it was requested again
    assert page.evaluate("explore.state.points.method") == "pca"
    under_way, refusals = False, 1
    page.wait_for_function("explore.state.points.method === 'umap'")


@pytest.mark.soak
def test_a_wish_for_a_map_that_is_lost_on_its_way_is_made_again(page: Page) -> None:
    def nothing_yet(route: Any) -> None:
        told = (fetched := route.fetch(max_retries=3)).json()
        told["map"] |= {"task": None, "state": "none", "ended": False, "ready": []}
        route.fulfill(response=fetched, json=told)

    wishes: list[Any] = []

    def wish(route: Any) -> None:
        wishes.append(route)
        route.abort() if len(wishes) == 1 else route.fulfill(json={"task": 1})

    page.route("**/start.json*", nothing_yet)
    page.route("**/state.json", nothing_yet)
    page.route("**/points.bin?*", lambda route: route.fulfill(status=404, json={"error": "None."}))
    page.route(re.compile(r"/explore/\d+/map$"), wish)
    page.reload()
    until(page, wishes, 2)
    page.unroute_all(behavior="ignoreErrors")  # it keeps asking while the page is closed


@pytest.mark.soak
def test_what_is_typed_and_focused_outlives_changes_and_failures(page: Page) -> None:
    page.locator(".x-tile").nth(4).click()
    panel = page.locator("#x-panel-image")
    caption, save = panel.get_by_label("Caption"), panel.get_by_role("button", name="Save caption")

    def rebuilt(act: Callable[[], None]) -> None:
        """Do something that replaces the panel."""
        panel.locator(".x-image-head").evaluate("(head) => (head.dataset.old = 1)")
        act()
        expect(panel.locator("[data-old]")).to_have_count(0)
        page.wait_for_timeout(100)

    caption.fill("A round thing")
    rebuilt(lambda: page.evaluate("explore.state.emit('columns')"))
    expect(caption).to_have_value("A round thing")
    expect(caption).to_be_focused()
    page.route("**/caption", lambda route: route.fulfill(status=503, json={"error": "Not now."}))
    rebuilt(save.click)
    expect(page.locator(".x-toast")).to_contain_text("Not now.")
    expect(caption).to_have_value("A round thing")
    page.unroute("**/caption")
    rebuilt(save.click)
    expect(save).to_be_hidden()
    expect(caption).to_have_value("A round thing")
    page.locator(".x-toast").get_by_role("button", name="Undo").click()
    expect(caption).to_have_value("")

    label = panel.get_by_label("Label of this image")
    label.focus()
    rebuilt(lambda: label.select_option(label="square") and None)
    expect(label).to_be_focused()
    page.locator(".x-toast").get_by_role("button", name="Undo").click()

    page.route("**/neighbors/*", lambda route: route.abort())
    page.locator(".x-tile").nth(5).click()
    expect(panel.locator(".notice-error")).to_contain_text("fetch")  # instead of "Searching …"
    page.route("**/explore/*/image/*", lambda route: route.abort())
    page.locator(".x-tile").nth(6).click()
    expect(panel.locator(".x-large")).to_have_count(0)
    page.unroute("**/neighbors/*")
    page.unroute("**/explore/*/image/*")
    page.evaluate("dispatchEvent(new Event('studio:back'))")
    expect(panel.locator(".x-large")).to_be_visible()
    expect(panel.locator(".x-small")).to_have_count(12)


def test_the_grid_keeps_its_place_and_selects_from_where_was_clicked(page: Page) -> None:
    chosen = page.locator(".x-actions b")
    page.locator("#x-tile-3").click()
    page.locator("#x-tile-5").click(modifiers=["Shift"])
    expect(chosen).to_have_text("3 selected")
    page.keyboard.press("Escape")
    page.locator("#x-tile-3").click()
    page.get_by_label("Sort by").select_option("random")
    place = page.evaluate("explore.state.order.indexOf(3)")
    page.locator("#x-tile-0").click(modifiers=["Shift"])
    expect(chosen).to_have_text(f"{place + 1} selected")
    page.keyboard.press("Escape")

    near = {"rows": [7, 8], "similarities": [0.9, 0.8]}
    page.route("**/neighbors/*count=500", lambda route: route.fulfill(json=near))
    page.get_by_role("button", name="Find similar").click()
    expect(page.locator("#x-tile-1 .x-why")).to_have_text("0.90")
    expect(page.locator("#x-tile-4 .x-why")).to_have_text("")  # it was not compared
    page.get_by_label("Sort by").select_option("file")

    page.evaluate("explore.state.labels = new Int16Array(explore.state.n).fill(-1)")
    page.get_by_role("tab", name="Filters").first.click()
    page.locator(".x-field", has_text="Label").locator("select").first.select_option("no")
    top, place = page.evaluate("""() => {
        const { grid } = explore;
        grid.scroller.scrollTop = 700;
        grid.render();
        const { state } = grid;
        grid.cursor = grid.first + 1;
        state.labels[state.order[grid.cursor]] = 0; // labelled: no longer listed
        state.refilter();
        return [grid.scroller.scrollTop, grid.cursor - grid.first];
    }""")
    assert (top, place) == (700, 1)
