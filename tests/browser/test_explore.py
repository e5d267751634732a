"""The Explore workbench in Chromium, on real images with their own map."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser import exploring
from tests.browser.exploring import COUNT, TRAINING_PLACES, Page, drawn, shown
from tests.browser.studio import PATIENCE_MS, Server

page = exploring.page  # fixture


def lasso(page: Page, images: int = COUNT // 2) -> None:
    """Draw a circle around the dataset's first image that holds about the `images` nearest ones.

    The radius follows from their places: the map differs from machine to machine.
    """
    page.locator(".x-tool[data-tool=lasso]").click()
    box = page.locator(".x-over").bounding_box()
    x, y, radius = page.evaluate(
        """(images) => {
            const { map, state } = explore;
            const places = Array.from({ length: state.n }, (_, row) =>
                map.toPixels(row).map((value) => value / map.ratio));
            const [x, y] = places[0];
            const away = places.map((place) => Math.hypot(place[0] - x, place[1] - y));
            return [x, y, away.sort((one, other) => one - other)[images]];
        }""",
        images,
    )
    x, y = box["x"] + x, box["y"] + y
    for step in range(25):
        angle = 2 * math.pi * step / 24
        page.mouse.move(x + radius * math.cos(angle), y + radius * math.sin(angle))
        if not step:
            page.mouse.down()
    page.mouse.up()


def test_filters_outline_and_order_outlive_a_reload_and_the_way_back(page: Page) -> None:
    page.locator("#x-panel-filters").get_by_label("square").first.uncheck()
    page.get_by_label("Sort by").select_option("random")
    lasso(page)
    chips = page.locator(".x-grid .x-chip")
    expect(chips).to_have_text(["Map selection ✕", "Class: not square ✕"])
    caught, first = shown(page), page.locator(".x-tile img").first.get_attribute("src")
    assert 0 < caught < 2 * COUNT
    page.wait_for_timeout(500)
    for leave in (page.reload, lambda: (page.goto("about:blank"), page.go_back())):
        leave()
        drawn(page)
        page.wait_for_function(f"document.documentElement.dataset.gridCount == {caught}")
        expect(page.locator("#x-panel-filters").get_by_label("square").first).not_to_be_checked()
        assert page.locator(".x-tile img").first.get_attribute("src") == first
        expect(chips).to_have_text(["Map selection ✕", "Class: not square ✕"])
    chips.first.click()
    assert shown(page) == 2 * COUNT
    chips.first.click()
    assert shown(page) == 3 * COUNT
    expect(chips).to_have_count(0)


def test_nothing_jumps_on_a_first_visit_while_gradio_starts(
    browser: Any, server: Server, explored: int
) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})  # with nothing cached
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script("""
        window.places = { ".x-tool[data-tool=lasso]": new Set(), ".x-over": new Set() };
        const look = () => {
            for (const [name, seen] of Object.entries(places)) {
                const box = document.querySelector(name)?.getBoundingClientRect();
                if (box) seen.add([box.x, box.y, box.width, box.height].map(Math.round).join());
            }
            requestAnimationFrame(look);
        };
        look();
    """)
    page.goto(f"{server.url}/explore?dataset={explored}")
    page.wait_for_selector(".explore-place > .explore")
    page.wait_for_timeout(300)
    places = page.evaluate(
        "Object.fromEntries(Object.entries(places).map(([name, seen]) => [name, [...seen]]))"
    )
    page.close()
    assert {name: len(seen) for name, seen in places.items()} == dict.fromkeys(places, 1), places


def test_a_lasso_becomes_a_subset_and_an_exclusion_that_is_taken_back(page: Page) -> None:
    lasso(page)
    bar = page.locator(".x-actions")
    expect(bar).to_contain_text("selected")
    caught = shown(page)
    assert 0 < caught < 3 * COUNT
    bar.get_by_role("button", name="Save selection…").click()
    page.locator(".x-dialog input").fill("in the middle")
    page.locator(".x-dialog").get_by_role("button", name="Save selection").click()
    toast = page.locator(".x-toast")
    expect(toast).to_contain_text(f"{caught} images saved")
    training = len(page.evaluate(TRAINING_PLACES))
    assert 0 < training < caught  # the others are not in the pool
    bar.get_by_role("button", name="Exclude from the pool").click()
    expect(toast).to_contain_text(f"{training} images excluded")
    expect(bar.get_by_role("button", name="Include in the pool")).to_be_visible()
    expect(page.locator(".x-tile.is-out").first).to_be_visible()
    toast.get_by_role("button", name="Undo").click()
    expect(toast).to_contain_text(f"Undone for {training} images")
    expect(page.locator(".x-tile.is-out")).to_have_count(0)
    bar.get_by_role("button", name="Clear").click()
    assert shown(page) == 3 * COUNT
    page.reload()
    drawn(page)
    subsets = page.locator(".x-field", has_text="Saved selection").locator("select")
    subsets.select_option(label=f"in the middle ({caught})")
    page.wait_for_function(f"document.documentElement.dataset.gridCount === '{caught}'")


def test_nothing_covers_the_map_and_no_choice_is_cut(page: Page) -> None:
    chart = page.locator(".x-over").bounding_box()
    for part in (".x-legend", ".x-tools"):
        expect(page.locator(part)).to_be_visible()
        box = page.locator(part).bounding_box()
        assert box["y"] >= chart["y"] + chart["height"], part
    expect(page.get_by_label("Embedding")).to_be_visible()
    cut = page.evaluate("""() => {
        const pen = document.createElement("canvas").getContext("2d");
        return [...document.querySelectorAll(".x-bar select")].filter((select) => {
            const style = getComputedStyle(select);
            pen.font = style.font;
            const [left, right] = [style.paddingLeft, style.paddingRight].map(parseFloat);
            const room = select.clientWidth - left - right;
            const text = select.selectedOptions[0]?.textContent ?? "";
            return select.checkVisibility() && pen.measureText(text).width > room + 1;
        }).map((select) => select.ariaLabel);
    }""")
    assert not cut


def test_filters_and_the_legend_are_one(page: Page) -> None:
    entry = page.locator(".x-legend .x-entry", has_text="circle")
    expect(entry).to_have_attribute("title", re.compile("Click to hide or show"))
    entry.click()
    assert shown(page) == 2 * COUNT
    box = page.locator(".x-check", has_text="circle").locator("input")
    expect(box).not_to_be_checked()
    box.check()
    assert shown(page) == 3 * COUNT
    page.get_by_role("searchbox", name="Text in caption or file name").fill("square-00")
    page.wait_for_function("document.documentElement?.dataset.gridCount === '10'")
    page.get_by_role("button", name="Clear filters").click()
    assert shown(page) == 3 * COUNT


def test_a_pinned_image_has_an_address_neighbors_and_a_history(page: Page) -> None:
    start = page.url
    page.locator(".x-tile").first.click()
    panel = page.locator("#x-panel-image")
    expect(panel.locator(".x-small")).to_have_count(12)
    expect(page).to_have_url(re.compile(r"[?&]image=\d+"))
    name = panel.locator(".x-image-head b").inner_text()
    panel.locator("select[aria-label='Label of this image']").select_option(label="triangle")
    expect(page.locator(".x-toast")).to_contain_text("1 image labeled “triangle”")
    panel.get_by_text(re.compile(r"History \(\d+\)")).click()
    expect(panel.locator(".x-history li").first).to_contain_text("label: circle → triangle")
    page.locator(".x-toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".x-toast")).to_contain_text("Undone")
    page.reload()
    drawn(page)
    expect(panel.locator(".x-image-head b")).to_have_text(name)
    page.go_back()
    expect(page).not_to_have_url(re.compile("image="))
    assert start.split("?")[0] == page.url.split("?")[0]


def test_the_map_glides_to_the_captions_and_by_keyboard(page: Page) -> None:
    page.emulate_media(reduced_motion="no-preference")
    projection = page.get_by_label("Projection")
    projection.select_option("pca")
    expect(page).to_have_url(re.compile("method=pca"))
    over = page.locator(".x-over")
    over.focus()
    before = page.evaluate("explore.map.view.scale")
    page.wait_for_function("!explore.map.gliding")
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    view = "explore.map.view.scale"
    assert page.evaluate(view) > 0 and before > 0
    fitted = page.evaluate("explore.map.fitted().scale")
    assert page.evaluate(view) > 1.3 * fitted
    page.keyboard.press("0")
    assert page.evaluate(view) == pytest.approx(fitted)


def test_the_grid_by_keyboard(page: Page) -> None:
    grid = page.get_by_role("listbox", name=re.compile("Images"))
    grid.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".x-actions")).to_contain_text("3 selected")
    page.keyboard.press("End")
    expect(page.locator(f"#x-tile-{3 * COUNT - 1}")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#x-panel-image .x-large")).to_be_visible()
    grid.focus()
    page.keyboard.press("ArrowLeft")  # the panel follows, and the address with it
    row = page.locator(f"#x-tile-{3 * COUNT - 2}").get_attribute("data-row")
    number = page.evaluate(f"explore.state.ids[{row}]")
    expect(page).to_have_url(re.compile(rf"[?&]image={number}\b"))
    expect(page.locator("#x-panel-image .x-large")).to_have_attribute(
        "href", re.compile(rf"/image/{number}\b")
    )
    page.keyboard.press("Escape")
    expect(page.locator(".x-actions")).to_be_hidden()


def test_the_large_image_and_the_panel_walk_through_the_grid(page: Page) -> None:
    page.locator(".x-tile").first.click()
    panel = page.locator("#x-panel-image")
    panel.locator(".x-large").click()
    large = page.locator("dialog.lightbox")
    expect(large).to_contain_text(f"1 of {3 * COUNT}")
    page.keyboard.press("ArrowRight")
    expect(large).to_contain_text(f"2 of {3 * COUNT}")
    page.keyboard.press("Escape")
    expect(large).to_have_count(0)
    panel.locator(".x-large").focus()
    page.keyboard.press("ArrowLeft")
    first = page.evaluate("explore.state.ids[explore.state.order[0]]")
    expect(page).to_have_url(re.compile(rf"[?&]image={first}\b"))
    page.get_by_role("tab", name="Filters").click()
    for name in ("square", "triangle"):
        page.locator("#x-panel-filters").get_by_label(name).first.uncheck()
    page.get_by_role("button", name="Zoom to the filtered images (F)").click()
    assert page.evaluate("explore.map.view.scale >= explore.map.fitted().scale")
    expect(page.get_by_label("Spread of the map")).to_have_value("0.3")


def test_findings_are_listed_with_their_evidence(page: Page) -> None:
    page.get_by_role("tab", name="Findings").click()
    panel = page.locator("#x-panel-findings")
    for title in ("Likely label errors", "Near-duplicates", "Outliers"):
        expect(panel.get_by_role("heading", name=title)).to_be_visible()


def test_a_narrow_screen_has_one_part_at_a_time(
    open_page: Callable[..., Page], explored: int
) -> None:
    page = open_page(f"/explore?dataset={explored}", width=390, height=844)
    drawn(page)
    expect(page.locator(".x-over")).to_be_visible()
    expect(page.locator(".x-scroller")).to_be_hidden()
    page.get_by_role("tab", name="Grid").click()
    expect(page.locator(".x-tile").first).to_be_visible()
    page.locator(".x-tile").first.click()
    expect(page.locator("#x-panel-image .x-large")).to_be_visible()
    page.get_by_role("tab", name="Findings").click()
    findings = page.locator("#x-panel-findings")
    expect(findings.get_by_role("heading", name="Near-duplicates")).to_be_visible()
    page.get_by_role("tab", name="Filters").click()
    page.locator("#x-panel-filters").get_by_label("square").first.uncheck()
    page.get_by_role("tab", name="Map").click()
    expect(page.locator(".x-map .x-chip")).to_have_text(["Class: not square ✕"])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_there_is_nothing_serious_for_axe(page: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.wait_for_selector("#explore-host .x-tile")
    page.locator(".x-tile").first.click()
    expect(page.locator("#x-panel-image .x-large")).to_be_visible()
    found = Axe().run(page).response["violations"]
    serious = [
        (one["id"], [node["html"][:120] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert not serious


def test_a_dataset_that_is_not_there_is_a_sentence(
    open_page: Callable[..., Page], explored: int
) -> None:
    page = open_page("/explore?dataset=987654")
    expect(page.locator(".explore")).to_contain_text("There is no dataset 987654.")
    page.get_by_role("link", name="Open the newest dataset").click()
    drawn(page)
