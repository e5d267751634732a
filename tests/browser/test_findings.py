"""Findings and searches in Explore: exclude many near-duplicates at once, and words that match
no image.
"""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser import exploring
from tests.browser.exploring import COUNT, Page, drawn, shown

page = exploring.page  # fixture


def test_near_duplicates_above_a_threshold_are_excluded_at_once(page: Page) -> None:
    ids = page.evaluate("[...explore.state.ids.slice(20, 28)]")
    pairs = [
        {"ids": ids[2 * k : 2 * k + 2], "exact": False, "cosine": cosine}
        for k, cosine in enumerate((0.95, 0.96, 0.99, 0.999))
    ]
    found = {
        "labels": [], "outliers": [], "duplicates": pairs, "typical_distance": 1, "revision": 0,
        "run": None, "found": {"labels": 0, "duplicates": 4, "outliers": 0},
    }  # fmt: skip
    page.route("**/findings.json", lambda route: route.fulfill(json=found))
    page.reload()
    drawn(page)
    page.get_by_role("tab", name="Findings").click()
    panel = page.locator("#x-panel-findings")
    panel.get_by_role("heading", name="Near-duplicates").click()
    pairs_shown = panel.locator(".x-finding.is-pair")
    expect(pairs_shown).to_have_count(4)
    panel.get_by_label("Near-duplicates: threshold").fill("50")  # of 0.95 to 0.999
    expect(pairs_shown).to_have_count(2)
    expect(panel).to_contain_text("2 of 4")
    panel.get_by_role("button", name="Exclude 2 images").click()
    toast = page.locator(".x-toast")
    expect(toast).to_contain_text("2 images excluded")
    expect(pairs_shown).to_have_count(0)
    rows = page.evaluate(f"{ids}.map((id) => explore.state.excluded[explore.state.rowOf(id)])")
    assert rows == [0, 0, 0, 0, 0, 1, 0, 1]
    toast.get_by_role("button", name="Undo").click()
    expect(pairs_shown).to_have_count(2)


def test_words_that_match_no_image_say_so(page: Page) -> None:
    words = page.get_by_label("Search images by text")
    words.fill("a cargo ship in a harbor at night")
    words.press("Enter")
    expect(page.locator(".x-toast")).to_contain_text("No good match")
    assert shown(page) == 3 * COUNT  # the closest ones first
    assert page.evaluate("explore.state.search.hits.length") == 0  # so the map rings no image
    words.fill("triangle")
    words.press("Enter")
    expect(page.locator(".x-grid")).to_contain_text("Search: “triangle”")
    expect(page.locator(".x-grid")).not_to_contain_text("No good match")
