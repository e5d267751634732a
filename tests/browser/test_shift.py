"""The Shift page: a preview with arrows, corrupted copies of images, and a pair of runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import expect

from tests.shapes import write_shapes


def test_from_a_target_domain_to_a_comparison_of_runs(
    open_page: Callable[..., Any], dataset_id: int
) -> None:
    page = open_page(f"/shift?dataset={dataset_id}")
    expect(page.locator(".empty")).to_contain_text("No target domain yet")
    page.get_by_label("Target domain").focus()
    page.keyboard.type("in thick fog")
    page.keyboard.press("Enter")
    expect(page.locator("[data-shift-map][data-drawn]")).to_be_visible()
    assert "words=in+thick+fog" in page.url
    drawn = page.evaluate(
        """() => {
            const canvas = document.querySelector("[data-shift-map] canvas");
            const pen = canvas.getContext("2d");
            const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
            const pixels = new Uint32Array(data.buffer);
            return pixels.filter((pixel) => pixel !== pixels[0]).length;
        }"""
    )
    assert drawn > 500
    expect(page.locator("[data-shift-map] canvas")).to_have_attribute(
        "aria-label", "PCA: predicted shift of circle, square, triangle"
    )
    expect(page.locator(".shift-near li")).to_have_count(3)

    copies = page.locator(".shift-strip img[src*='/shift/preview/']")
    expect(copies).to_have_count(15)
    expect(page.locator("body")).to_contain_text("“fog” is similar to your target domain")
    copies.last.scroll_into_view_if_needed()
    page.wait_for_function(
        "[...document.querySelectorAll(\".shift-strip img[src*='/shift/preview/']\")]"
        ".every((image) => image.complete && image.naturalWidth > 0)"
    )
    page.locator("[data-key=strips] select").select_option(label="snow")
    expect(copies.first).to_have_attribute("alt", "snow, severity 1")

    page.locator("[data-key=launch]").get_by_label("Budget").fill("9")
    stays_beside(page, "Launch both runs")
    expect(page.locator(".shift-runs .chip-finished")).to_have_count(2)
    page.get_by_label("Corruption of the test images").select_option("fog")
    stays_beside(page, "Compare runs")
    expect(page.locator(".shift-table tbody tr")).to_have_count(6)
    expect(page.locator(".shift-chart circle")).to_have_count(12)
    expect(page.locator("[data-shift-map] canvas")).to_have_count(1)  # redrawn, not added twice
    page.reload()
    expect(page.locator(".shift-table tbody tr")).to_have_count(6)
    expect(page.locator(".shift-earlier a[aria-current]")).to_have_text("“in thick fog”")
    page.goto("about:blank")
    page.go_back()
    expect(page.locator(".shift-table tbody tr")).to_have_count(6)

    narrow = open_page(page.url[page.url.index("/shift") :], width=390, height=844)
    expect(narrow.locator(".shift-table")).to_be_visible()
    narrow.wait_for_timeout(500)
    assert narrow.evaluate("document.documentElement.scrollWidth <= innerWidth")
    strip = narrow.locator(".shift-strips")
    assert strip.evaluate("(one) => one.scrollWidth <= one.clientWidth")


@pytest.mark.soak  # tests/runs/test_target_images.py trains such runs
def test_runs_adapt_to_an_uploaded_folder(
    open_page: Callable[..., Any], dataset_id: int, tmp_path: Path
) -> None:
    folder = tmp_path / "posters"
    folder.mkdir()
    for number, (path, _) in enumerate(write_shapes(tmp_path / "shapes", 36, seed=5)):
        with Image.open(path) as image:
            ImageOps.invert(image).save(folder / f"{number}.png")
    page = open_page(f"/shift?dataset={dataset_id}")
    page.locator("[data-shift-upload]").set_input_files(folder)
    form = page.locator("[data-key=images]")
    expect(form.locator("option:checked")).to_have_text("posters")
    form.get_by_label("Budget").fill("9")
    form.get_by_role("button", name="Launch pair of runs").click()
    expect(page.locator("[data-key^=pair-] h2")).to_have_text("Images of posters")
    expect(page.locator(".shift-runs .chip-finished")).to_have_count(2)
    expect(page.locator("[data-key^=pair-] .notice")).to_contain_text("adapted to")


def stays_beside(page: Any, button: str) -> None:
    """Click the button at the bottom of the window. The progress appears next to it."""
    place = page.get_by_role("button", name=button, exact=True)
    place.evaluate("(one) => one.scrollIntoView({ block: 'end' })")
    before = page.evaluate("scrollY")
    assert before > 300
    place.click()
    expect(page.locator("[data-key^=pair-] .progress").first).to_be_in_viewport()
    assert 0 <= page.evaluate("scrollY") - before < 300


def test_a_missing_dataset_is_explained(open_page: Callable[..., Any], dataset: str) -> None:
    page = open_page("/shift?dataset=98765")
    expect(page.locator(".empty")).to_contain_text("There is no dataset 98765")
    page.locator(".empty a").click()
    expect(page.get_by_label("Target domain")).to_be_visible()
