"""Findings and searches in Explore: exclude many near-duplicates at once, and words that match
no image.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.browser import exploring
from tests.browser.exploring import COUNT, TRAINING_IDS, Page, drawn, shown

page = exploring.page  # fixture


def findings(page: Page, found: dict[str, Any]) -> Any:
    """Open the page with these findings, and return their panel."""
    page.route("**/findings.json", lambda route: route.fulfill(json=found))
    page.reload()
    drawn(page)
    page.get_by_role("tab", name="Findings").click()
    return page.locator("#x-panel-findings")


def test_near_duplicates_above_a_threshold_are_excluded_at_once(page: Page) -> None:
    ids = page.evaluate(f"{TRAINING_IDS}.slice(20, 28)")
    pairs = [
        {"ids": ids[2 * k : 2 * k + 2], "exact": False, "cosine": cosine}
        for k, cosine in enumerate((0.95, 0.96, 0.99, 0.999))
    ]
    found = {
        "labels": [], "outliers": [], "duplicates": pairs, "typical_distance": 1, "revision": 0,
        "run": None, "found": {"labels": 0, "duplicates": 4, "outliers": 0},
    }  # fmt: skip
    panel = findings(page, found)
    panel.get_by_role("heading", name="Near-duplicates").click()
    pairs_shown = panel.locator(".x-finding.is-pair")
    expect(pairs_shown).to_have_count(4)
    panel.get_by_label("Near-duplicates: threshold").fill("50")  # of 0.95 to 0.999
    expect(pairs_shown).to_have_count(2)
    expect(panel).to_contain_text("2 of 4")
    panel.get_by_role("button", name="Exclude 2 training images").click()
    toast = page.locator(".x-toast")
    expect(toast).to_contain_text("2 images excluded")
    expect(pairs_shown).to_have_count(0)
    rows = page.evaluate(f"{ids}.map((id) => explore.state.excluded[explore.state.rowOf(id)])")
    assert rows == [0, 0, 0, 0, 0, 1, 0, 1]
    toast.get_by_role("button", name="Undo").click()
    expect(pairs_shown).to_have_count(2)


def test_of_duplicates_in_two_splits_the_training_image_is_excluded(page: Page) -> None:
    ids = page.evaluate(f"{TRAINING_IDS}.slice(30, 37)")
    groups = [ids[:2], ids[2:4], ids[4:7]]
    found = {
        "labels": [], "outliers": [], "typical_distance": 1, "revision": 0, "run": None,
        "duplicates": [{"ids": group, "exact": False, "cosine": 0.96} for group in groups],
        "found": {"labels": 0, "duplicates": 3, "outliers": 0},
    }  # fmt: skip
    panel = findings(page, found)
    panel.get_by_role("heading", name="Near-duplicates").click()
    pairs = panel.locator(".x-finding.is-pair")
    expect(pairs.nth(0).get_by_role("button", name="Exclude the second")).to_be_visible()
    split = """([ids, value]) => {
        for (const id of ids) explore.state.splits[explore.state.rowOf(id)] = value;
        explore.state.emit("columns");
    }"""
    page.evaluate(split, [[ids[1], ids[2], ids[3], ids[5]], 2])  # the test split
    expect(pairs.nth(1).get_by_role("button", name="Exclude")).to_have_count(0)  # both are in test
    expect(pairs.nth(2)).to_contain_text("Exclude 2 training images")
    expect(panel.get_by_role("button", name="Exclude 3 training images")).to_be_visible()
    pairs.nth(0).get_by_role("button", name="Exclude the training image").click()
    expect(page.locator(".x-toast")).to_contain_text("1 image excluded")
    rows = page.evaluate(f"{ids}.map((id) => explore.state.excluded[explore.state.rowOf(id)])")
    assert rows == [1, 0, 0, 0, 0, 0, 0]
    page.locator(".x-toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".x-toast")).to_contain_text("Undone for 1 image")


def test_a_likely_label_error_states_its_evidence(page: Page) -> None:
    ids = page.evaluate("[...explore.state.ids]")
    label, suggested = page.evaluate("[explore.state.label(0), explore.state.className(2)]")
    item = {
        "id": ids[0], "label": page.evaluate("explore.state.labels[0]"), "suggested": 2,
        "confidence": 0.94, "own": 0.0, "agreeing": 2 / 15, "neighbors": ids[-2:],
        "confirmed": True,
    }  # fmt: skip
    found = {
        "labels": [item], "outliers": [], "duplicates": [], "typical_distance": 1, "revision": 0,
        "run": 1, "found": {"labels": 1, "duplicates": 0, "outliers": 0},
    }  # fmt: skip
    panel = findings(page, found)
    expect(panel).to_contain_text("at least four times as frequent as the image's class")
    expect(panel.locator(".x-finding")).to_contain_text(
        f"Label: {label} (model probability 0%). Suggested: {suggested} (94%). "
        f"13% of the labeled neighbors are labeled {suggested}. Run 1 also predicts {suggested}. "
        f"Nearest images of {suggested}:"
    )


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
