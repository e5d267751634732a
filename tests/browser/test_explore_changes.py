"""Explore handles late responses, changes made elsewhere, and clicks while Gradio starts."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser import exploring
from tests.browser.exploring import COUNT, TRAINING_IDS, TRAINING_PLACES, Page, drawn, shown
from tests.browser.network import held, until

page = exploring.page  # fixture


@pytest.mark.soak
def test_older_answers_and_a_pinch_change_nothing(page: Page) -> None:
    one, two = page.evaluate("""() => {
        const { state } = explore;
        return Promise.all([1, 2].map(async (count) => (await explore.fetchJson(
          `/explore/${state.dataset.id}/subset`,
          { name: `the first ${count}`, ids: state.idsOf([0, 1].slice(0, count)) })).subset));
    }""")
    page.reload()
    drawn(page)
    slow = held(page, f"**/subset.bin?subset={one}")
    subsets = page.locator(".x-field", has_text="Saved selection").locator("select")
    subsets.select_option(str(one))
    late = until(page, slow)
    subsets.select_option(str(two))
    page.wait_for_function("document.documentElement.dataset.gridCount === '2'")
    with page.expect_response(f"**/subset.bin?subset={one}"):
        late.continue_()
    page.wait_for_timeout(200)
    assert shown(page) == 2

    slow = held(page, "**/text.bin?text=*")
    words = page.get_by_label("Text in caption or file name")
    words.fill("triangle")
    late = until(page, slow)
    page.get_by_role("button", name="Clear filters", exact=True).click()
    expect(words).to_have_value("")
    with page.expect_response("**/text.bin?text=*"):
        late.continue_()
    page.wait_for_timeout(200)
    assert shown(page) == 3 * COUNT

    views = held(page, "**/points.bin?method=pca*")
    page.get_by_label("Projection").select_option("pca")
    late = until(page, views)
    page.evaluate("explore.chooseCoordinates(explore.state, { method: 'umap' })")
    late.continue_()
    page.evaluate("explore.coordinates(explore.state, 'pca', 'image').then(() => 0)")
    assert page.evaluate("explore.state.points.method") == "umap"

    for tool in ("box", "lasso"):
        page.locator(f".x-tool[data-tool={tool}]").click()
        page.evaluate("""() => {
            const over = document.querySelector(".x-over");
            over.setPointerCapture = () => {}; // these fingers are made up
            const { left, top } = over.getBoundingClientRect();
            const finger = (type, pointerId, x, y) => over.dispatchEvent(new PointerEvent(type,
              { pointerId, pointerType: "touch", clientX: left + x, clientY: top + y }));
            finger("pointerdown", 1, 20, 20);
            finger("pointermove", 1, 60, 60);
            finger("pointerdown", 2, 300, 300);
            finger("pointermove", 2, 320, 320);
            finger("pointerup", 2, 320, 320);
            for (const at of [200, 400, 600]) finger("pointermove", 1, at, at - 10);
            finger("pointerup", 1, 600, 590);
        }""")
        assert page.evaluate("explore.state.region") is None
        expect(page.locator(".x-toast")).to_be_empty()


@pytest.mark.soak
def test_changes_made_elsewhere_are_respected(page: Page) -> None:
    first, second, third = ids = page.evaluate(f"{TRAINING_IDS}.slice(10, 13)")
    base = page.evaluate("`/explore/${explore.state.dataset.id}`")
    toast = page.locator(".x-toast")

    def elsewhere(name: str, body: dict[str, Any]) -> None:
        page.evaluate("([path, body]) => explore.fetchJson(path, body)", [f"{base}/{name}", body])

    none = {"labels": [], "outliers": [], "typical_distance": 1, "revision": 0, "run": None}
    groups = {"duplicates": [{"ids": ids, "exact": True}]}
    counts = {"found": {"labels": 0, "duplicates": 1, "outliers": 0}}
    page.route("**/findings.json", lambda route: route.fulfill(json=none | groups | counts))
    elsewhere("excluded", {"ids": [first], "excluded": True})
    page.reload()
    drawn(page)
    page.get_by_role("tab", name="Findings").click()
    panel = page.locator("#x-panel-findings")
    panel.get_by_role("heading", name="Near-duplicates").click()
    expect(panel.locator(".x-finding .x-small")).to_have_count(2)
    panel.get_by_role("button", name="Exclude the second").click()
    expect(toast).to_contain_text("1 image excluded")
    row = page.evaluate(f"explore.state.rowOf({second})")
    assert page.evaluate(f"explore.state.excluded[{row}]") == 0
    elsewhere("excluded", {"ids": ids, "excluded": False})

    one, other = page.evaluate(TRAINING_PLACES)[:2]
    page.locator(f"#x-tile-{one}").click(modifiers=["Control"])
    page.locator(f"#x-tile-{other}").click(modifiers=["Control"])
    page.locator(".x-actions").get_by_role("button", name="Exclude").click()
    expect(toast).to_contain_text("2 images excluded")
    at = page.evaluate(f"explore.state.ids[explore.state.order[{one}]]")
    elsewhere("excluded", {"ids": [at], "excluded": False})
    toast.get_by_role("button", name="Undo").click()
    expect(toast).to_contain_text("Undone for 1 image. 1 image changed since then")

    elsewhere("label", {"ids": [third], "name": "hexagon"})
    page.evaluate("explore.reload(explore.state)")
    page.get_by_role("tab", name="Filters").first.click()
    expect(page.locator(".x-check", has_text="hexagon")).to_be_visible()
    elsewhere("label", {"ids": [third], "label": 0})


def test_a_click_is_not_lost_to_gradio_taking_the_workbench_in(page: Page) -> None:
    page.wait_for_selector("#explore-host .x-tile")  # or Gradio takes it in last
    tile = page.locator(".x-tile").first
    tile.hover()
    page.mouse.down()
    page.evaluate("""() => {
        const host = document.createElement("div");
        host.id = "taking-in";
        document.querySelector("#explore").parentElement.append(host);
        studio.mountExplore(host);
    }""")
    page.mouse.up()
    expect(page.locator("#x-panel-image .x-large")).to_be_visible()
    expect(page.locator("#taking-in .x-tile").first).to_be_visible()
