"""All pages: bad input, narrow screens, and the keyboard."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.studio import Server, shapes, wait_for
from tests.browser.test_whole_path import fill

NARROW = {"width": 390, "height": 844}


def test_an_upload_that_can_not_be_is_answered_with_a_sentence(
    open_page: Callable[..., Any], server: Server, dataset: str, tmp_path: Path
) -> None:
    page = open_page("/")
    problem = page.locator(".drop-problem")
    text = tmp_path / "notes.zip"
    text.write_text("These are words.")
    page.set_input_files(".drop input[type=file]", text)
    expect(problem).to_contain_text("is not a ZIP file")

    good = shapes(tmp_path / f"{dataset}.zip", 2)
    page.set_input_files(".drop input[type=file]", good)
    expect(page.locator(".drop [name=name]")).to_have_value(f"{dataset} 2")
    page.locator(".drop [name=name]").fill(dataset)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(problem).to_contain_text("Choose another name")
    page.locator(".drop [name=name]").fill("../x")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(problem).to_contain_text("is not a valid dataset name")

    empty = tmp_path / "empty.zip"
    zipfile.ZipFile(empty, "w").close()
    page.get_by_role("button", name="Choose another").click()
    page.set_input_files(".drop input[type=file]", empty)
    page.get_by_role("button", name="Upload", exact=True).click()
    failed = page.locator(".import", has_text="empty")
    expect(failed.locator(".chip")).to_contain_text("failed")
    expect(failed.locator(".notice")).not_to_contain_text("Traceback")
    uploads = server.home / "uploads"  # emptied right after the import has failed
    wait_for(lambda: not list(uploads.glob("*.zip")), 60, "the upload to be deleted")


def test_an_upload_can_be_canceled(
    open_page: Callable[..., Any], server: Server, tmp_path: Path
) -> None:
    page = open_page("/")
    large = tmp_path / "large.zip"
    with zipfile.ZipFile(large, "w") as out:
        out.writestr("a/big.bin", bytes(40_000_000))
    session = page.context.new_cdp_session(page)
    page.set_input_files(".drop input[type=file]", large)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000},
    )
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator(".drop-words")).to_contain_text("of 40.0 MB")
    page.locator(".drop-cancel").click()
    expect(page.locator(".drop-problem")).to_contain_text("canceled")
    uploads = server.home / "uploads"
    wait_for(
        lambda: not any(path.is_file() for path in uploads.iterdir()),
        60,
        "the upload to be deleted",
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("budget", "1000000", "can be selected"),
        ("budget", "few", "is neither a count"),
        ("epochs", "", "is empty"),
        ("lr", "7", "must be between"),
    ],
)
def test_a_setting_that_can_not_be_is_answered_with_a_sentence(
    open_page: Callable[..., Any], dataset: str, name: str, value: str, words: str
) -> None:
    page = open_page(f"/finetune?dataset={dataset.replace(' ', '+')}")
    expect(page.locator(".summary .command")).to_be_visible()
    fill(page, name, value)
    expect(page.locator(".summary [role=alert]")).to_contain_text(words)
    page.get_by_role("button", name="Launch").click()
    expect(page.locator(".toast-body, [data-testid=toast-body]").first).to_contain_text(words)
    assert "/finetune" in page.url


def test_the_form_survives_a_reload(open_page: Callable[..., Any], dataset: str) -> None:
    page = open_page(f"/finetune?dataset={dataset.replace(' ', '+')}")
    fill(page, "budget", "7%")
    page.locator("#f-track input[value=labels-known]").check()
    command = page.locator(".summary .command code")
    expect(command).to_contain_text("--track labels-known --budget 7%")
    page.wait_for_timeout(500)  # the browser writes its storage later
    page.reload()
    expect(page.locator("#f-budget :is(input, textarea)").first).to_have_value("7%")
    expect(command).to_contain_text("--track labels-known --budget 7%")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == command.inner_text()
    fill(page, "budget", "8%")  # redraws the button with another command
    expect(page.get_by_role("button", name="Copy", exact=True)).to_be_visible()


def test_moments_age_on_an_open_page(
    open_page: Callable[..., Any], server: Server, run: str
) -> None:
    page = open_page("/runs", locale="en-US")  # in a context of its own, since clocks belong to one
    page.clock.install()
    page.reload()
    moment = page.locator(".live time").first
    expect(moment).to_be_visible()
    page.evaluate("document.querySelector('.live time').dateTime = new Date().toISOString()")
    page.clock.fast_forward(4 * 60_000)
    expect(moment).to_have_text("4 minutes ago")


def test_copying_needs_no_https(open_page: Callable[..., Any], dataset_id: int) -> None:
    page = open_page(f"/finetune?dataset={dataset_id}")
    page.evaluate("delete Navigator.prototype.clipboard")  # as at another machine's address
    assert page.evaluate("navigator.clipboard") is None
    line = page.locator(".summary .command code").inner_text()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    field = page.locator("#f-budget :is(input, textarea)").first
    field.fill("")
    field.press("Control+v")
    assert field.input_value() == line != ""


def test_what_does_not_exist_is_said_in_words(open_page: Callable[..., Any]) -> None:
    for address, words in (("/runs?run=987654", "no run"), ("/?dataset=987654", "no dataset")):
        page = open_page(address)
        expect(page.locator(".empty")).to_contain_text(f"There is {words} 987654")
        page.locator(".empty a").click()
        expect(page.locator("h1")).to_be_visible()


def test_nothing_scrolls_sideways_on_a_telephone(
    open_page: Callable[..., Any], server: Server, dataset_id: int, run: str
) -> None:
    for path in ("/", f"/?dataset={dataset_id}", "/finetune", "/runs", run):
        page = open_page(path, **NARROW)
        page.wait_for_timeout(800)
        cut = page.evaluate(
            """() => [...document.querySelectorAll("main *")].filter((element) => {
                const box = element.getBoundingClientRect();
                if (!box.width || box.right <= innerWidth + 1) return false;
                for (let up = element; up; up = up.parentElement)
                    if (["auto", "scroll"].includes(getComputedStyle(up).overflowX)) return false;
                return !element.closest(".drop-target input");
            }).map((element) => element.outerHTML.slice(0, 120))"""
        )
        assert not cut, f"{path}: {cut[:3]}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.close()


def test_the_keyboard_reaches_everything(
    open_page: Callable[..., Any], server: Server, run: str
) -> None:
    page = open_page(run)
    page.locator(".selected .thumb").first.focus()
    page.keyboard.press("Enter")
    box = page.locator("dialog.lightbox")
    expect(box).to_be_visible()
    expect(box.locator("figcaption b")).to_contain_text("Rank 1")
    page.keyboard.press("ArrowRight")
    expect(box.locator("figcaption b")).to_contain_text("Rank 2")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()

    page.goto(server.url + "/")
    page.wait_for_selector(".dataset")
    links = page.locator(".dataset").first.get_by_role("link").all_inner_texts()
    assert all(links)  # thumbnails are not among them
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim().slice(0, 30)"))
    assert {"Data", "Finetune", "Runs", "Finetune model", "Details"} <= reached


def test_the_bar_stands_still_between_pages(open_page: Callable[..., Any]) -> None:
    page = open_page("/")

    def places() -> list[dict[str, float]]:
        bar = page.locator(".bar")
        parts = [*bar.locator("nav a").all(), bar.get_by_role("button", name="Switch between")]
        return [part.bounding_box() for part in parts]

    before = places()
    page.goto(page.url + "explore?dataset=987654")
    expect(page.locator(".explore")).to_contain_text("There is no dataset")
    assert places() == before


def test_light_and_dark_are_remembered(open_page: Callable[..., Any]) -> None:
    page = open_page("/", color_scheme="light")
    fading = page.evaluate("""() => {
        document.querySelector(".theme").click();
        return document.getAnimations().filter((one) => one instanceof CSSTransition).length;
    }""")
    assert not fading  # half-way between the two, text is unreadable
    assert page.evaluate("document.body.classList.contains('dark')")
    field = page.locator(".drop [name=name]")
    expect(field).to_have_css("background-color", "rgb(21, 20, 18)")
    page.reload()
    page.wait_for_selector(".live", state="attached")
    assert page.evaluate("document.body.classList.contains('dark')")
