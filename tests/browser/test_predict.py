"""The Predict page in a browser: classify an image and look at the evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(run: str) -> str:
    return run.replace("/runs", "/predict")


@pytest.fixture
def circle(tmp_path: Path) -> Path:
    path = tmp_path / "a circle.png"
    image = Image.new("RGB", (64, 64), (230, 220, 240))
    ImageDraw.Draw(image).ellipse((12, 12, 48, 48), fill=(20, 80, 40))
    image.save(path)
    return path


def test_a_dropped_image_is_answered(
    address: str, circle: Path, open_page: Callable[..., Any]
) -> None:
    page = open_page(address)
    page.set_input_files("[data-drop] input", str(circle))
    page.wait_for_selector(".predicted-class")
    assert "circle" in page.inner_text(".predicted-class").lower()
    assert page.locator(".bars li").count() == 3
    shares = [float(text.rstrip("%")) for text in page.locator(".bars b").all_inner_texts()]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(100, abs=0.3)
    assert page.locator(".evidence").count() >= 2
    page.locator(".evidence .thumb").first.click()
    page.wait_for_selector(".lightbox[open]")
    page.keyboard.press("Escape")
    page.click("summary:has-text('How the percentages are computed')")
    assert "Yeh et al. 2018" in page.inner_text(".predict")


def test_a_file_that_is_no_image_gets_a_message(
    address: str, tmp_path: Path, open_page: Callable[..., Any]
) -> None:
    page = open_page(address)
    other = tmp_path / "notes.pdf"
    other.write_bytes(b"%PDF-1.7 nothing")
    page.set_input_files("[data-drop] input", str(other))
    page.wait_for_selector(".prediction .notice-error")
    assert "it is a PDF file" in page.inner_text(".prediction")
    assert page.locator(".prediction-columns img").count() == 0  # no broken-image icon


@pytest.mark.soak  # tests/app/test_batch.py calls the same routes
def test_many_images_become_a_table_and_a_dataset(
    address: str, circle: Path, tmp_path: Path, open_page: Callable[..., Any]
) -> None:
    other = tmp_path / "notes.pdf"
    other.write_bytes(b"%PDF-1.7 nothing")
    page = open_page(address)
    page.set_input_files("[data-drop-many] input", [str(circle), str(other)])
    page.wait_for_selector(".batch-results")
    assert "batch=" in page.url
    assert "Predicted 1 image" in page.inner_text(".batch-sentence")
    assert page.locator(".batch-wall .thumb").count() == 1
    page.click(".batch-results summary")
    assert "notes.pdf it is a PDF file" in page.inner_text(".batch-refused")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    table = Path(download.value.path()).read_text().splitlines()
    assert [line.partition(",")[0] for line in table] == ["file", "a circle.png", "notes.pdf"]
    page.fill(".batch-import [name=name]", "predicted images")
    page.select_option(".batch-import [name=which]", "all")
    page.get_by_role("button", name="Import images").click()
    page.wait_for_selector(".dataset:has-text('predicted images')")


def test_a_test_image_is_in_the_address(address: str, open_page: Callable[..., Any]) -> None:
    """On a phone-sized page, by keyboard. Back, reload and a second tab show the image again."""
    page = open_page(address, width=390, height=844)
    page.locator(".test-images a").nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".predicted-class")
    assert "image=" in page.url
    result = page.inner_text(".predicted-class")
    page.reload()
    page.wait_for_selector(".predicted-class")
    assert page.inner_text(".predicted-class") == result
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    page.go_back()
    page.wait_for_selector(".predicted-class", state="detached")
    page.go_forward()
    page.wait_for_selector(".predicted-class")
    again = open_page(page.url.split("/", 3)[3].join(["/", ""]))
    again.wait_for_selector(".predicted-class")
    assert again.inner_text(".predicted-class") == result


def test_without_a_run_it_says_what_to_do(open_page: Callable[..., Any]) -> None:
    page = open_page("/predict?run=98765")
    assert "There is no run 98765" in page.inner_text(".predict-page")
    assert page.locator(".predict-page a[href='/predict']").count() == 1
