"""The Label page: labeling by keyboard, a lost connection, a reload, and the launch of a run."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.network import hold
from tests.browser.studio import Server, shapes
from vecaf.datasets.edits import add_class, edit
from vecaf.store import dataset_named
from vecaf.store.columns import read_columns
from vecaf.store.random_subsets import draw_test_sample
from vecaf.store.subsets import add_subset, subset_samples

NAME = "bare shapes"
KINDS = ["circle", "square", "triangle"]


@pytest.fixture(scope="module")
def task(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a labeling task of eight images from an upload without labels."""
    server.upload(NAME, unlabeled_shapes(tmp_path_factory.mktemp("bare")))
    return new_task(server, "eight", 8)


def unlabeled_shapes(folder: Path) -> bytes:
    """Return a ZIP file of images whose names contain their class, without folders."""
    with (
        zipfile.ZipFile(shapes(folder / "shapes.zip", 10, seed=5)) as labeled,
        zipfile.ZipFile(folder / "bare.zip", "w") as out,
    ):
        for name in labeled.namelist():
            out.writestr(Path(name).name, labeled.read(name))
    return (folder / "bare.zip").read_bytes()


def new_task(
    server: Server, name: str, count: int, classes: Sequence[str] = (), dataset_name: str = NAME
) -> str:
    """Return the path of a labeling task with other images of an upload."""
    store = server.store()
    with store.write() as session:
        me = store.owner()
        dataset = dataset_named(session, me, dataset_name)
        for kind in classes:
            if kind not in dataset.classes:
                add_class(session, me, dataset.id, kind)
        columns = read_columns(session, me, dataset.id)
        pool = columns.ids[(columns.splits == 0) & (columns.labels < 0)]
        ids = pool[:: max(1, len(pool) // count)][:count].tolist()
        subset = add_subset(session, me, dataset.id, name, "selection", ids, facts={"seed": 1})
        path = f"/label?dataset={dataset.id}&subset={subset.id}"
    store.close()
    return path


def key_for(page: Any) -> str:
    """Return the number key of the class that the file name of the shown image contains."""
    name = page.locator(".label-one img").get_attribute("alt")
    return str(1 + next(i for i, kind in enumerate(KINDS) if name.startswith(kind)))


def test_a_task_is_done_by_keyboard_and_launches_a_run(
    open_page: Callable[..., Any], task: str
) -> None:
    page = open_page(task)
    expect(page.locator(".label-samples img")).to_have_count(8)
    page.locator(".label-first textarea").fill("circle, square")
    page.get_by_role("button", name="Start labeling").click()
    done = page.locator(".label-head .progress-words")
    expect(done).to_contain_text("0 of 8")
    page.locator("[name=filter]").fill("triangle of any shape")  # a class that was forgotten
    page.keyboard.press("Enter")
    expect(done).to_contain_text("1 of 8 labeled")
    page.locator(".label-one").press("u")
    expect(done).to_contain_text("0 of 8 labeled")
    expect(page.locator(".label-classes button")).to_have_count(3)
    names = page.locator(".label-classes span")
    assert names.evaluate_all("all => all.every((one) => one.scrollWidth <= one.clientWidth)")

    for number in range(1, 4):
        page.keyboard.press(key_for(page))
        expect(done).to_contain_text(f"{number} of 8 labeled")
    first = page.locator(".label-one img").get_attribute("alt")
    page.keyboard.press("s")
    expect(page.locator(".label-one img")).not_to_have_attribute("alt", str(first))
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".label-one img")).to_have_attribute("alt", str(first))

    saved = page.locator(".label-head .num")
    expect(saved).to_have_text("Saved")
    page.context.set_offline(True)
    page.keyboard.press(key_for(page))
    expect(done).to_contain_text("4 of 8 labeled")  # shown at once
    expect(page.locator(".labeler [role=alert]")).to_contain_text("labels are kept")
    expect(saved).to_have_text("Saving 1 …")
    page.context.set_offline(False)
    page.reload()  # before it is sent again
    expect(done).to_contain_text("4 of 8 labeled")
    expect(saved).to_have_text("Saved")
    page.goto("about:blank")
    page.go_back()
    expect(done).to_contain_text("4 of 8 labeled")
    second = open_page(task)
    expect(second.locator(".label-head .progress-words")).to_contain_text("4 of 8 labeled")
    second.close()

    suggestion = page.locator(".label-suggestion")
    expect(suggestion).to_contain_text("Suggested:", timeout=240_000)
    page.locator(".label-one").focus()
    page.keyboard.press("Enter")
    expect(done).to_contain_text("5 of 8 labeled")

    page.get_by_role("button", name="Grid").click()
    tiles = page.locator(".label-tile select")
    expect(tiles).to_have_count(8)
    tiles.first.select_option(label="square")
    expect(done).to_contain_text("6 of 8 labeled")
    place = "document.querySelector('.labeler').getBoundingClientRect().top + scrollY"
    before = page.evaluate(place)
    page.get_by_role("button", name="Accept all 2 suggestions").click()
    expect(done).to_contain_text("8 of 8 labeled")
    page.get_by_role("button", name="Undo").click()  # both at once
    expect(done).to_contain_text("6 of 8 labeled")
    page.get_by_role("button", name="Accept all 2 suggestions").click()
    expect(page.locator(".label-hint")).to_have_text("All images are labeled.")
    launch = page.get_by_role("button", name="Launch run")
    expect(launch).to_be_in_viewport()
    assert page.evaluate(place) == before  # it does not move to another image
    expect(page.get_by_role("link", name="Review settings")).to_have_attribute(
        "href", f"/finetune?dataset={task.split('=')[1].split('&')[0]}&subset=eight"
    )
    launch.click()
    page.wait_for_url("**/runs?run=*")


@pytest.mark.parametrize("path", ["task", "list"])
def test_nothing_scrolls_sideways_on_a_telephone(
    open_page: Callable[..., Any], task: str, path: str
) -> None:
    page = open_page(task if path == "task" else task.partition("&")[0], width=390, height=844)
    expect(page.locator(".label-one, .label-first, .subsets").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if path == "list":
        page.locator("[name=count]").fill("3")
        page.get_by_role("button", name="Create test sample").click()
        expect(page.locator("h1")).to_have_text("test sample of 3")
        expect(page.locator(".label-head .progress-words")).to_contain_text("0 of 3")


@pytest.mark.soak
def test_keys_undo_and_focus_while_labels_are_on_their_way(
    open_page: Callable[..., Any], server: Server, task: str
) -> None:
    path = new_task(server, "six", 6, KINDS)
    page = open_page(path)
    done, saved = page.locator(".label-head .progress-words"), page.locator(".label-head .num")
    image, find = page.locator(".label-one img"), page.locator("[name=filter]")
    given = page.locator(".label-classes [aria-pressed=true]")
    held: list[Any] = []
    holding = False

    def hold_back() -> None:
        nonlocal holding
        holding = True

    def release() -> None:
        nonlocal holding
        holding = False
        while held:
            held.pop().continue_()
        expect(saved).to_have_text("Saved")

    page.route(
        "**/label/*/labels",
        lambda route: held.append(route) if holding else route.continue_(),
    )

    expect(done).to_contain_text("0 of 6")
    find.focus()
    page.keyboard.press("1")  # it can be part of a name
    expect(find).to_have_value("1")
    expect(done).to_contain_text("0 of 6")
    page.keyboard.press("Escape")
    page.locator(".label-one").press("1")
    expect(done).to_contain_text("1 of 6")
    page.keyboard.press("ArrowLeft")
    first = str(image.get_attribute("alt"))
    page.get_by_role("button", name="Remove label").click()
    expect(done).to_contain_text("0 of 6")
    expect(image).to_have_attribute("alt", first)

    hold_back()
    for key in ("1", "2", "u", "3", "3", "u"):  # the last two belong to one image
        page.keyboard.press(key)
    expect(done).to_contain_text("2 of 6")
    back = page.get_by_role("link", name="All labeling tasks")
    back.focus()
    release()
    expect(back).to_be_focused()
    page.goto(server.url + path)
    expect(done).to_contain_text("2 of 6")
    for kind in ("triangle", "circle"):
        page.locator(".label-one").press("ArrowLeft")
        expect(given).to_contain_text(kind)

    hold_back()
    page.locator(".label-one").press("2")  # a circle until now
    expect(saved).to_have_text("Saving 1 …")
    page.keyboard.press("u")
    expect(given).to_contain_text("circle")
    expect(image).to_have_attribute("alt", first)
    release()
    page.reload()
    expect(given).to_contain_text("circle")

    page.get_by_role("button", name="Grid").click()
    field = page.get_by_label(f"Class of {first}")
    field.focus()
    page.keyboard.press("t")  # the class that begins with this letter
    expect(field).to_have_value("2")
    expect(field).to_be_focused()
    expect(saved).to_have_text("Saved")

    page.route("**/label/*/state", lambda route: route.abort())
    page.reload()
    expect(page.locator(".labeler [role=alert]")).to_contain_text("Could not load")
    page.unroute("**/label/*/state")
    expect(done).to_contain_text("2 of 6")


def test_suggestions_learn_from_labels_and_the_order_follows(
    open_page: Callable[..., Any], server: Server, task: str
) -> None:
    path = new_task(server, "learning", 6, KINDS)
    label_test_sample(server)
    page = open_page(path)
    learned, image = page.locator(".label-learned"), page.locator(".label-one img")
    source, count = learned.locator("span").first, re.compile(r"Learned from (\d+) labels?")
    expect(learned).to_contain_text("on 3 test images (95% interval", timeout=240_000)
    before = int((count.search(str(source.text_content())) or [0, 0])[1])
    for number in (1, 2, 3):
        page.locator(".label-one").press(key_for(page))
        expect(learned).to_contain_text(f"Learned from {before + number} label")
    shown = str(image.get_attribute("alt"))
    page.keyboard.press("u")
    expect(learned).to_contain_text(f"Learned from {before + 2} label")
    expect(image).not_to_have_attribute("alt", shown)

    order = page.get_by_label("Order of the images")
    order.select_option(label="Selection order")
    page.reload()
    expect(order).to_have_value("given")
    order.select_option(label="Most useful first")

    shown_map = page.locator(".label-map")
    shown_map.locator("summary").click()
    expect(shown_map.locator("p")).to_contain_text(re.compile("circle|has no map yet"))
    with page.expect_response("**/suggestions"):  # those that the grid shows
        page.get_by_role("button", name="Grid").click()
    expect(page.locator(".label-tile")).to_have_count(6)
    update = page.get_by_role("button", name="Update suggestions")
    page.locator(".label-tile select").last.select_option(label="no label")
    update.click()
    expect(update).to_have_count(0)


def label_test_sample(server: Server) -> None:
    """Draw three test images and label them."""
    store = server.store()
    with store.write() as session:
        me = store.owner()
        dataset = dataset_named(session, me, NAME)
        sample = draw_test_sample(session, me, dataset.id, 3)
        ids = [image.id for _, image in subset_samples(session, me, sample.id)]
        edit(session, me, dataset.id, "label", dict(zip(ids, range(3), strict=True)))
    store.close()


def test_who_goes_back_before_the_answer_sees_where_the_address_leads(
    open_page: Callable[..., Any], task: str
) -> None:
    page = open_page(task.partition("&")[0])
    send = hold(page)
    page.locator(".subsets a").first.click()
    page.wait_for_function("window.held.length")
    page.go_back()
    send()
    page.locator(".labeler").wait_for()  # the answer to the first
    send()
    expect(page.locator(".subsets").first).to_be_visible()
    expect(page.locator(".labeler")).to_have_count(0)
