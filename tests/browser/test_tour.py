"""The tour is offered once, covers every page, and works by mouse and keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect


def test_the_tour_is_offered_once_and_walks_along_the_bar(open_page: Callable[..., Any]) -> None:
    page = open_page("/")
    page.get_by_role("button", name="Start tour").click()
    tour = page.get_by_role("dialog")
    pages = page.locator(".bar nav a").count()
    seen = []
    for number in range(1, pages + 1):
        expect(tour).to_contain_text(f"{number} of {pages}")
        seen.append(page.locator(".bar nav a.toured").inner_text())
        page.keyboard.press("Enter")  # on "Next", which has the focus
    assert seen == page.locator(".bar nav a").all_inner_texts()
    expect(tour).to_have_count(0)
    page.reload()
    expect(page.locator(".bar .help")).to_be_visible()
    expect(page.locator(".tour-offer")).to_have_count(0)


def test_the_tour_fits_a_telephone_and_escape_ends_it(open_page: Callable[..., Any]) -> None:
    page = open_page("/", width=390, height=844)
    page.get_by_role("button", name="Take the tour").click()
    tour = page.get_by_role("dialog")
    for _ in range(7):
        page.keyboard.press("ArrowRight")
        box = tour.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        expect(page.locator(".bar nav a.toured")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(tour).to_have_count(0)
    expect(page.get_by_role("button", name="Take the tour")).to_be_focused()
