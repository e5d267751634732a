"""Select: picks with their reasons and the map, two strategies side by side, signed off."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

SLOW = 180_000  # a task imports frameworks and may embed the dataset first


def test_from_a_budget_to_a_signed_off_selection(
    open_page: Callable[..., Any], dataset_id: int
) -> None:
    page = open_page(f"/select?dataset={dataset_id}")
    budget = page.locator(".select-form [name=budget]")
    budget.fill("9999")
    page.get_by_role("button", name="Select", exact=True).click()
    expect(page.locator(".toast-body, [data-testid=toast-body]").first).to_contain_text(
        "can be selected"
    )
    expect(budget).to_have_value("9999")  # nobody has to type it again
    budget.fill("6")
    page.get_by_role("button", name="Select", exact=True).click()
    expect(page.locator(".select-main progress, .pick").first).to_be_visible()
    picks = page.locator(".picks-wall .pick")
    expect(picks).to_have_count(6, timeout=SLOW)

    picks.nth(1).click()
    why = page.locator(".why")
    expect(why).to_contain_text("Why pick 2?")
    expect(why.locator("dt")).to_have_text(
        ["Stands for", "Surroundings", "Weight", "Text", "Instead of", "Scores"]
    )
    expect(why).to_contain_text("what it looks like to the caption model")
    page.keyboard.press("ArrowRight")
    expect(why).to_contain_text("Why pick 3?")
    expect(picks.nth(2)).to_be_focused()
    page.reload()
    expect(page.locator(".why")).to_contain_text("Why pick 3?")
    second = open_page(page.url[page.url.index("/select") :])
    expect(second.locator(".why")).to_contain_text("Why pick 3?")
    second.close()

    canvas = page.locator("[data-select-map] canvas")
    draw = page.get_by_role("button", name="Draw the map")
    expect(draw.or_(canvas)).to_be_visible()
    if draw.is_visible():  # another test may have had the map drawn
        draw.click()
    expect(canvas).to_be_visible(timeout=SLOW)
    drawn = """() => {
        const canvas = document.querySelector("[data-select-map] canvas");
        const pen = canvas.getContext("2d");
        const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
        return data.some(Boolean);
    }"""
    page.wait_for_function(drawn)
    page.route("**/map*", lambda route: route.abort())  # the network fails for a moment
    page.reload()
    said = page.locator("[data-select-map] [role=alert]")
    expect(said).to_contain_text("could not be read")
    page.unroute("**/map*")
    expect(said).to_have_count(0)
    page.wait_for_function(drawn)

    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    with Path(download.value.path()).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 and {row["split"] for row in rows} == {"train"}

    page.locator(".select-form [name=strategy]").select_option("random")
    page.get_by_role("button", name="Compare with this").click()
    expect(page.get_by_role("heading", name="Side by side")).to_be_visible(timeout=SLOW)
    counts = [int(text) for text in page.locator(".facts dd").all_inner_texts()[:3]]
    assert counts[0] + counts[1] == 6 == counts[0] + counts[2]
    page.go_back()
    expect(page.locator(".picks-wall .pick")).to_have_count(6)

    page.locator(".sign-off [name=name]").fill("the six <b>")
    page.get_by_role("button", name="Sign off and finetune").click()
    page.wait_for_url(f"**/finetune?dataset={dataset_id}&subset=the+six+*")
    page = open_page(f"/select?dataset={dataset_id}", width=390, height=844)
    expect(page.locator(".saved")).to_contain_text("the six <b>")
    expect(page.locator(".saved")).to_contain_text("6 of 6 labelled")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
