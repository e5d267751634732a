"""The Data page in a browser: edit labels and captions, export, delete, import from a folder."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.network import fail, fail_once, hold, slow_down
from tests.browser.studio import Server, shapes

ALL_CONFIRMED = "() => import('/static/app/shell/actions.js').then(({ pending }) => !pending())"


def uploaded(page: Any, archive: Path, name: str) -> Any:
    """Upload an archive and open the page of the dataset that it becomes."""
    page.set_input_files(".drop input[type=file]", archive)
    page.locator(".drop [name=name]").fill(name)
    page.get_by_role("button", name="Upload", exact=True).click()
    card = page.locator(".dataset", has=page.get_by_role("heading", name=name, exact=True))
    expect(card).to_be_visible()
    card.get_by_role("link", name="Details").click()
    expect(page.locator(".detail h2")).to_have_text(name)
    return page.locator(".image-list > li")


def test_labels_and_captions_are_edited_and_every_change_is_undone(
    open_page: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_page("/")
    images = uploaded(page, shapes(tmp_path / "a.zip", 12, seed=3), "to edit")
    expect(images).to_have_count(24)

    # One by one.
    first = images.first
    expect(first.locator("select")).to_have_value("circle")
    first.locator("select").select_option("square")
    last = page.locator(".last-change")
    expect(last).to_contain_text("1 image labeled “square” (was “circle”)")
    caption = first.get_by_role("textbox")
    caption.fill("a round thing")
    caption.press("Enter")
    expect(last).to_contain_text("Caption of 1 image set to “a round thing”")
    last.get_by_role("button", name="Undo").click()
    expect(caption).to_have_value("")

    # Some of them, using only the keyboard.
    for i in (2, 4):
        images.nth(i).get_by_role("checkbox").focus()
        page.keyboard.press("Space")
    expect(page.locator("[data-selected-count]")).to_have_text("2 selected")
    page.get_by_placeholder("a photo of a {class}").fill("a drawn {class}")
    page.keyboard.press("Enter")
    expect(last).to_contain_text("Caption of 2 images set to “a drawn circle”")
    expect(images.nth(4).get_by_role("textbox")).to_have_value("a drawn circle")
    expect(page.locator("[data-selected-count]")).to_have_text("None selected")

    # All images that match a filter. The filter stays after a reload.
    page.get_by_label("Label", exact=True).select_option(label="triangle")
    expect(page.locator(".images + p")).to_have_text("12 images")
    page.get_by_label("Name of this view").fill("pointed")
    page.get_by_role("button", name="Save view").click()
    page.reload()
    expect(page.locator(".images + p")).to_have_text("12 images")
    expect(page.locator(".saved-view", has_text="pointed").get_by_role("link")).to_have_attribute(
        "aria-current", "true"
    )
    page.get_by_label("Images to change").select_option("matching")
    page.get_by_role("button", name="Exclude").click()
    expect(page.locator(".image.excluded")).to_have_count(9)  # the other 3 are not in the pool

    # Renaming a class updates its images; the history lists and undoes changes.
    page.get_by_role("link", name="Classes").click()
    name = page.get_by_label("Name of the class circle")
    name.fill("disc")
    name.press("Enter")
    expect(last).to_contain_text("Class “circle” renamed to “disc”")
    page.get_by_role("link", name="History", exact=True).click()
    changes = page.locator(".changes li")
    expect(changes).to_have_count(5)
    expect(changes.nth(4)).to_contain_text("(was “disc”)")
    changes.filter(has_text="9 images excluded").get_by_role("button", name="Undo").click()
    expect(changes.nth(1)).to_contain_text("undone")
    page.go_back()
    expect(page.get_by_label("Name of the class disc")).to_be_visible()


def test_a_folder_of_images_is_uploaded_and_the_next_step_is_offered(
    open_page: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    zipfile.ZipFile(shapes(tmp_path / "b.zip", 4, seed=5)).extractall(folder / "inside")
    for path in sorted((folder / "inside").rglob("*.png")):
        path.rename(folder / path.name)  # a folder of photos without labels
    page = open_page("/")
    page.get_by_label("Choose a folder").set_input_files(folder)
    expect(page.locator(".drop-file")).to_contain_text("holiday")
    expect(page.locator(".drop [name=name]")).to_have_value("holiday")
    page.get_by_role("button", name="Upload", exact=True).click()
    done = page.locator(".import.done", has_text="holiday")
    expect(done).to_contain_text("12 images, 12 without a label")
    expect(done.get_by_role("link", name="Select images")).to_be_visible()
    done.get_by_role("link", name="Check the images").click()

    # The images are above the fold, and the large image walks through all of them.
    first = page.locator(".image-list .thumb").first
    expect(first).to_be_in_viewport(ratio=1)
    first.click()
    box = page.locator("dialog.lightbox")
    expect(box).to_contain_text("1 of 12")
    page.keyboard.press("ArrowRight")
    expect(box).to_contain_text("2 of 12")


def test_an_export_can_be_imported_and_a_deletion_asks_first(
    open_page: Callable[..., Any], tmp_path: Path
) -> None:
    broken = shapes(tmp_path / "b.zip", 6, seed=4)
    with zipfile.ZipFile(broken, "a") as out:
        out.writestr("circle/words.png", "These are words.")
    page = open_page("/")
    uploaded(page, broken, "to delete")
    page.get_by_role("link", name="Import report").click()
    expect(page.locator(".refused")).to_contain_text("1 file")
    expect(page.locator(".refused-list li")).to_contain_text("words.png")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export dataset").click()
    again = tmp_path / "again.zip"
    download.value.save_as(again)
    with zipfile.ZipFile(again) as packed:
        assert packed.testzip() is None
        assert len(packed.namelist()) == 19

    page.get_by_label("Export format").select_option("WebDataset")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export dataset").click()
    download.value.save_as(again)
    with zipfile.ZipFile(again) as packed:
        assert {"train-000000.tar", "classes.txt"} < set(packed.namelist())

    delete = page.get_by_role("button", name="Delete dataset…")
    delete.focus()
    page.keyboard.press("Enter")
    box = page.get_by_role("alertdialog")
    expect(box).to_contain_text("Delete 'to delete'?")
    expect(box).to_contain_text("18 images")
    expect(box.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    expect(delete).to_be_focused()
    delete.click()
    box.get_by_role("button", name="Delete dataset").click()
    expect(page.locator(".notice-good")).to_contain_text("'to delete' was deleted")
    card = page.get_by_role("heading", name="to delete", exact=True)
    expect(card).to_have_count(0)

    page.reload()
    images = uploaded(page, again, "back again")
    expect(images).to_have_count(18)
    expect(images.first.locator("select")).to_have_value("circle")


@pytest.mark.soak
def test_a_folder_of_the_server_is_imported(open_page: Callable[..., Any], server: Server) -> None:
    root = Path(server.folders)
    with zipfile.ZipFile(shapes(root / "packed.zip", 3, seed=5)) as archive:
        archive.extractall(root / "unpacked")
    page = open_page("/?folder=/etc")
    sources = page.locator(".sources")
    expect(sources).to_contain_text("no such folder among")
    sources.get_by_role("link", name=str(root)).click()
    for name in ("packed", "unpacked"):
        if name == "unpacked":
            sources.get_by_role("link", name=name).click()
        form = sources.locator("form.folder-form").filter(
            has=page.get_by_label(f"Dataset name for {name}")
        )
        form.get_by_role("textbox").fill(f"{name} shapes")
        form.get_by_role("button", name="Import").click()
        card = page.locator(".dataset").filter(has_text=f"{name} shapes")
        expect(card).to_contain_text("9 images")
    sources.get_by_label("Dataset name", exact=True).fill("cifar by name")
    sources.locator("[name=key]").select_option("CIFAR10")
    expect(sources.get_by_role("button", name="Download dataset")).to_be_enabled()


def test_an_interrupted_upload_is_reported(
    open_page: Callable[..., Any],
) -> None:
    page = open_page("/")
    page.evaluate("sessionStorage.setItem('studio-upload', 'my photos')")
    page.reload()
    expect(page.locator(".drop-problem")).to_contain_text("“my photos” was interrupted")
    page.reload()
    expect(page.locator(".drop-problem")).to_be_hidden()


@pytest.mark.soak
def test_edits_survive_a_slow_server_and_one_that_is_away(
    open_page: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_page("/")
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)
    page.set_input_files(".drop input[type=file]", shapes(tmp_path / "s.zip", 4, seed=8))
    page.locator(".drop [name=name]").fill("edited at once")
    page.evaluate("for (const _ of [1, 2]) document.querySelector('.drop form').requestSubmit()")
    card = page.locator(".dataset").filter(has_text="edited at once")
    expect(card).to_be_visible()
    assert len([url for url in sent if "/upload" in url and "gradio_api" not in url]) == 1
    card.get_by_role("link", name="Details").click()
    images = page.locator(".image-list > li")
    expect(images).to_have_count(12)

    slow_down(page, 700)
    for i in (6, 7):
        images.nth(i).get_by_role("checkbox").check()
    for i in range(4):
        images.nth(i).get_by_role("textbox").fill(f"thing {i}")
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)
    expect(page.locator(".last-change")).to_contain_text("set to “thing 3”")
    expect(page.locator("[data-selected-count]")).to_have_text("2 selected")
    page.get_by_placeholder("a photo of a {class}").fill("{caption}{class} in fog")
    for _ in (1, 2):  # a second Enter before the first answer does nothing
        page.keyboard.press("Enter")
    images.nth(4).get_by_role("textbox").fill("behind them")
    page.keyboard.press("Enter")
    expect(page.locator(".last-change")).to_contain_text("set to “behind them”")
    expect(images.nth(6).get_by_role("textbox")).to_have_value("square in fog")
    page.reload()
    for i in range(4):
        expect(images.nth(i).get_by_role("textbox")).to_have_value(f"thing {i}")

    # An answer that arrives after a navigation does not draw the old view.
    send = hold(page, '"act"')
    page.evaluate("addEventListener('studio:go', () => { window.gone = (window.gone ?? 0) + 1; })")
    images.nth(0).get_by_role("textbox").fill("left behind")
    page.keyboard.press("Enter")
    questions: list[str] = []

    def stay(dialog: Any) -> None:
        questions.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    with page.expect_event("dialog"):
        page.locator(".bar").get_by_role("link", name="Runs").click()  # before the caption is saved
    assert questions == ["beforeunload"]
    page.get_by_role("link", name="Classes").click()
    page.wait_for_function("window.gone === 1")
    send()
    page.wait_for_function("window.gone === 2")
    page.wait_for_function(ALL_CONFIRMED)
    expect(page.locator(".class-list")).to_be_visible()
    page.go_back()
    expect(images.nth(0).get_by_role("textbox")).to_have_value("left behind")
    page.reload()  # events are no longer held

    # A failed change is sent again, and text typed meanwhile stays.
    recover = fail(page)
    images.nth(8).locator("select").select_option("circle")
    expect(images.nth(8)).to_contain_text("Not saved yet")
    caption = images.nth(8).get_by_role("textbox")
    caption.evaluate("(field) => { field.same = true; }")
    caption.press_sequentially("half ty")
    page.evaluate("dispatchEvent(new Event('studio:go'))")
    recover()
    expect(page.locator(".last-change")).to_contain_text("1 image labeled “circle”")
    expect(images.nth(8)).not_to_contain_text("Not saved yet")
    assert caption.evaluate("(field) => field.same && field === document.activeElement")
    expect(caption).to_have_value("half ty")
    page.reload()

    fail_once(page, lambda route: route.abort())  # Gradio then reloads the page
    images.nth(5).get_by_role("textbox").fill("sent in vain")
    page.keyboard.press("Enter")
    expect(page.locator(".last-change")).to_contain_text("set to “sent in vain”")
    expect(images.nth(5).get_by_role("textbox")).to_have_value("sent in vain")

    page.wait_for_function(ALL_CONFIRMED)  # otherwise the next change waits for that answer
    page.context.set_offline(True)
    images.nth(4).get_by_role("textbox").fill("typed alone")
    page.keyboard.press("Enter")
    expect(images.nth(4)).to_contain_text("Not saved yet")
    expect(images.nth(4).get_by_role("textbox")).to_have_value("typed alone")
    page.context.set_offline(False)
    expect(page.locator(".last-change")).to_contain_text("“typed alone”")
    expect(images.nth(4)).not_to_contain_text("Not saved yet")
    page.reload()
    expect(images.nth(4).get_by_role("textbox")).to_have_value("typed alone")
