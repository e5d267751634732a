"""The columns of an upload are reviewed in the browser before the import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.datasets.pictures import jpeg, make_zip


def test_columns_are_reviewed_and_chosen(open_page: Callable[..., Any], tmp_path: Path) -> None:
    rows = [f"{i}.jpg;{'cat' if i % 2 else 'dog'};no;words {i}\n" for i in range(12)]
    table = "path;species;label;sentence\n" + "".join(rows)
    members = {"list.csv": table.encode()} | {f"{i}.jpg": jpeg(700 + i) for i in range(12)}
    archive = make_zip(tmp_path / "pets.zip", members)
    page = open_page("/")
    page.set_input_files(".drop input[type=file]", archive)
    page.locator(".drop [name=name]").fill("by species")
    page.get_by_label("Review the columns").check()
    page.get_by_role("button", name="Upload", exact=True).click()

    review = page.locator(".drop-review")
    lines = review.locator("tbody tr")
    expect(review).to_contain_text("a table of images")
    expect(lines).to_have_count(10)
    expect(review.get_by_label("Images", exact=True)).to_have_value("path")
    expect(review.get_by_label("Labels", exact=True)).to_have_value("label")
    expect(lines.nth(1).locator("td")).to_have_text(["1.jpg", "no", ""])
    review.get_by_label("Labels", exact=True).select_option("species")
    review.get_by_label("Captions", exact=True).select_option("sentence")
    expect(lines.nth(1).locator("td")).to_have_text(["1.jpg", "cat", "words 1"])
    expect(page.locator(".dataset", has_text="by species")).to_have_count(0)
    review.get_by_role("button", name="Import dataset").click()

    card = page.locator(".dataset", has=page.get_by_role("heading", name="by species", exact=True))
    expect(card).to_be_visible()
    expect(card.locator(".class-name")).to_have_text(["cat", "dog"])

    page.set_input_files(".drop input[type=file]", archive)
    page.locator(".drop [name=name]").fill("not this")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(lines).to_have_count(10)
    review.get_by_role("button", name="Cancel").click()
    expect(page.locator(".drop-target")).to_be_visible()
