"""The Select page: selected images, explanations, the map, two selections side by side, saving."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect


def test_from_a_budget_to_a_saved_selection(open_page: Callable[..., Any], dataset_id: int) -> None:
    page = open_page(f"/select?dataset={dataset_id}")
    budget = page.locator(".select-form [name=budget]")
    budget.fill("9999")
    page.get_by_role("button", name="Select images").click()
    expect(page.locator(".toast-body, [data-testid=toast-body]").first).to_contain_text(
        "can be selected"
    )
    expect(budget).to_have_value("9999")  # the user need not type it again
    budget.fill("6")
    page.get_by_role("button", name="Select images").click()
    expect(page.locator(".select-main progress, .gallery-image").first).to_be_visible()
    images = page.locator(".gallery-image")
    expect(images).to_have_count(6)

    expect(images.first).to_be_in_viewport(ratio=1)  # above the fold
    images.nth(1).click()
    why = page.locator(".why")
    expect(why).to_contain_text("Rank 2 of 6")
    expect(why.locator("dt")).to_have_text(
        ["Represents", "Density", "Loss", "Caption", "Alternative", "Scores"]
    )
    expect(why).to_contain_text("A caption suggested by the vision-language model")
    page.keyboard.press("ArrowRight")
    expect(why).to_contain_text("Rank 3 of 6")
    expect(images.nth(2)).to_be_focused()
    page.reload()
    expect(page.locator(".why")).to_contain_text("Rank 3 of 6")
    second = open_page(page.url[page.url.index("/select") :])
    expect(second.locator(".why")).to_contain_text("Rank 3 of 6")
    second.close()

    canvas = page.locator("[data-select-map] canvas")
    create = page.get_by_role("button", name="Compute map")
    expect(create.or_(canvas)).to_be_visible()
    if create.is_visible():  # another test may have created the map
        create.click()
    expect(canvas).to_be_visible()
    drawn = """() => {
        const canvas = document.querySelector("[data-select-map] canvas");
        const pen = canvas.getContext("2d");
        const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
        return new Uint32Array(data.buffer).some((pixel, _, pixels) => pixel !== pixels[0]);
    }"""
    page.wait_for_function(drawn)
    page.route("**/select/*/map*", lambda route: route.abort())  # the network fails for a moment
    page.reload()
    problem = page.locator("[data-select-map] [role=alert]")
    expect(problem).to_contain_text("Could not load the map")
    page.unroute("**/select/*/map*")
    expect(problem).to_have_count(0)
    page.wait_for_function(drawn)

    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    with Path(download.value.path()).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 and {row["split"] for row in rows} == {"train"}

    page.locator(".select-form [name=strategy]").select_option("random")
    page.get_by_role("button", name="Select and compare").click()
    expect(page.get_by_role("heading", name="Comparison of two selections")).to_be_visible()
    expect(page.get_by_role("heading", name="Class coverage")).to_be_visible()
    expect(page.locator(".coverage tbody tr")).to_have_count(3)
    expect(page.locator(".gallery")).to_have_count(2)  # side by side
    counts = [int(text) for text in page.locator(".facts dd").all_inner_texts()[:3]]
    assert counts[0] + counts[1] == 6 == counts[0] + counts[2]
    page.go_back()
    expect(page.locator(".gallery-image")).to_have_count(6)

    page.locator(".save-selection [name=name]").fill("the six <b>")
    page.get_by_role("button", name="Save and finetune").click()
    page.wait_for_url(f"**/finetune?dataset={dataset_id}&subset=the+six+*")
    page = open_page(f"/select?dataset={dataset_id}", width=390, height=844)
    expect(page.locator(".subsets")).to_contain_text("the six <b>")
    expect(page.locator(".subsets")).to_contain_text("6 of 6 labeled")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
