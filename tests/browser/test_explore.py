"""The Explore workbench in Chromium, on real images with their own map."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from app.bundle import pack
from tests.browser.conftest import Server, shapes, wait_for
from vecaf.store.sqlite import library

Page = Any
COUNT = 40  # images of each of three classes


@pytest.fixture(scope="module")
def explored(server: Server, tmp_path_factory: pytest.TempPathFactory) -> int:
    """A dataset whose map has been computed (the page asked for it)."""
    from vecaf.jobs.queue import submit_import, submit_task
    from vecaf.settings import Settings
    from vecaf.store import Store

    archive = shapes(tmp_path_factory.mktemp("shapes") / "explore.zip", COUNT, seed=3)
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(server.home)}))
    import_id = submit_import(store, archive, "to explore", store.owner())

    def value(query: str, *which: object) -> Any:
        with contextlib.closing(library.connect(server.home / "studio.db", timeout=30)) as base:
            row = base.execute(query, which).fetchone()
            return row[0] if row else None

    query = "SELECT dataset_id FROM import WHERE id = ?"
    wait_for(lambda: value(query, import_id) is not None, 120, "the import")
    dataset = int(value(query, import_id))
    task = submit_task(store, "map", dataset, {}, store.owner())

    def finished() -> bool:
        assert value("SELECT state FROM task WHERE id = ?", task) != "failed", value(
            "SELECT error FROM task WHERE id = ?", task
        )
        return bool(value("SELECT state FROM task WHERE id = ?", task) == "finished")

    wait_for(finished, 240, "the map")
    store.close()
    return dataset


@pytest.fixture
def page(open_page: Callable[..., Page], explored: int) -> Page:
    page = open_page(f"/explore?dataset={explored}")
    drawn(page)
    return page


def drawn(page: Page) -> None:
    page.wait_for_function("document.documentElement?.dataset.mapDrawn", timeout=30_000)
    no_tour = page.get_by_role("button", name="No, thanks")
    if no_tour.count():
        no_tour.click()


def shown(page: Page) -> int:
    return int(page.evaluate("document.documentElement.dataset.gridCount"))


def lasso(page: Page, share: float = 0.2) -> None:
    """Draw a circle around the dataset's first image."""
    page.locator(".x-tool[data-tool=lasso]").click()
    box = page.locator(".x-over").bounding_box()
    x, y = page.evaluate("""() => {
        const { map } = document.querySelector(".x-canvas");
        return map.toPixels(0).map((value) => value / map.ratio);
    }""")
    x, y = box["x"] + x, box["y"] + y
    radius = share * min(box["width"], box["height"])
    for step in range(25):
        angle = 2 * math.pi * step / 24
        page.mouse.move(x + radius * math.cos(angle), y + radius * math.sin(angle))
        if not step:
            page.mouse.down()
    page.mouse.up()


def test_filters_outline_and_order_outlive_a_reload_and_the_way_back(page: Page) -> None:
    page.locator("#x-panel-filters").get_by_label("square").first.uncheck()
    page.get_by_label("Sort by").select_option("random")
    lasso(page, 0.4)
    expect(page.locator(".x-chip", has_text="inside the outline")).to_be_visible()
    caught, first = shown(page), page.locator(".x-tile img").first.get_attribute("src")
    assert 0 < caught < 2 * COUNT
    page.wait_for_timeout(500)
    for leave in (page.reload, lambda: (page.goto("about:blank"), page.go_back())):
        leave()
        drawn(page)
        page.wait_for_function(f"document.documentElement.dataset.gridCount == {caught}")
        expect(page.locator("#x-panel-filters").get_by_label("square").first).not_to_be_checked()
        assert page.locator(".x-tile img").first.get_attribute("src") == first
    page.locator(".x-chip").first.click()
    assert shown(page) == 2 * COUNT


def test_a_lasso_becomes_a_subset_and_an_exclusion_that_is_taken_back(page: Page) -> None:
    lasso(page)
    bar = page.locator(".x-actions")
    expect(bar).to_contain_text("in the outline")
    caught = shown(page)
    assert 0 < caught < 3 * COUNT
    bar.get_by_role("button", name="Save as subset…").click()
    page.locator(".x-dialog input").fill("in the middle")
    page.locator(".x-dialog").get_by_role("button", name="Save", exact=True).click()
    toast = page.locator(".x-toast")
    expect(toast).to_contain_text(f"{caught} images saved")
    bar.get_by_role("button", name="Exclude from the pool").click()
    expect(toast).to_contain_text(f"{caught} images excluded")
    expect(page.locator(".x-tile.is-out").first).to_be_visible()
    toast.get_by_role("button", name="Undo").click()
    expect(toast).to_contain_text(f"Undone: {caught} images")
    expect(page.locator(".x-tile.is-out")).to_have_count(0)
    bar.get_by_role("button", name="Clear").click()
    assert shown(page) == 3 * COUNT
    page.reload()
    drawn(page)
    subsets = page.locator(".x-field", has_text="Subset").locator("select")
    subsets.select_option(label=f"in the middle ({caught})")
    page.wait_for_function(f"document.documentElement.dataset.gridCount === '{caught}'")


def test_filters_and_the_legend_are_one(page: Page) -> None:
    page.locator(".x-legend .x-entry", has_text="circle").click()
    assert shown(page) == 2 * COUNT
    box = page.locator(".x-check", has_text="circle").locator("input")
    expect(box).not_to_be_checked()
    box.check()
    assert shown(page) == 3 * COUNT
    page.get_by_role("searchbox", name="Words in caption or file name").fill("square-00")
    page.wait_for_function("document.documentElement?.dataset.gridCount === '10'")
    page.get_by_role("button", name="Clear all").click()
    assert shown(page) == 3 * COUNT


def test_a_pinned_image_has_an_address_neighbours_and_a_history(page: Page) -> None:
    start = page.url
    page.locator(".x-tile").first.click()
    panel = page.locator("#x-panel-image")
    expect(panel.locator(".x-small")).to_have_count(12)
    expect(page).to_have_url(re.compile(r"[?&]image=\d+"))
    name = panel.locator(".x-image-head b").inner_text()
    panel.locator("select[aria-label='Label of this image']").select_option(label="triangle")
    expect(page.locator(".x-toast")).to_contain_text("1 image labelled “triangle”")
    panel.get_by_text(re.compile(r"Changes \(\d+\)")).click()
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
    projection = page.get_by_label("Projection")
    projection.select_option("pca")
    expect(page).to_have_url(re.compile("method=pca"))
    over = page.locator(".x-over")
    over.focus()
    before = page.evaluate("document.querySelector('.x-canvas').map.view.scale")
    page.wait_for_function("!document.querySelector('.x-canvas').map.gliding")
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    view = "document.querySelector('.x-canvas').map.view.scale"
    assert page.evaluate(view) > 0 and before > 0
    fitted = page.evaluate("document.querySelector('.x-canvas').map.fitted().scale")
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
    page.keyboard.press("Escape")
    expect(page.locator(".x-actions")).to_be_hidden()


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
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_there_is_nothing_serious_for_axe(page: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

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
    page.get_by_role("link", name="Show the newest dataset").click()
    drawn(page)


def bundle(arrays: dict[str, Any], meta: dict[str, Any] | None = None) -> Callable[[Any], None]:
    """A route's handler that answers with a bundle."""
    body = pack(arrays, meta)
    return lambda route: route.fulfill(body=body, content_type="application/octet-stream")


def held(page: Page, address: str) -> list[Any]:
    """The requests of an address, to be answered by the test when it is their turn."""
    waiting: list[Any] = []
    page.route(address, lambda route: waiting.append(route))
    return waiting


def until(page: Page, waiting: list[Any], count: int = 1) -> Any:
    """The newest of the requests held, once there are so many."""
    for _ in range(300):
        if len(waiting) >= count:
            return waiting[-1]
        page.wait_for_timeout(50)
    raise AssertionError(f"Waited in vain for request {count}.")


def test_a_runs_filters_and_order_are_the_same_after_a_reload(page: Page) -> None:
    n = 3 * COUNT
    loss = np.linspace(0, 2, n, dtype=np.float32)
    values = {
        "predicted": np.zeros(n, np.int16), "confidence": loss / 2, "loss": loss,
        "round": np.arange(n, dtype=np.uint8) % 3,
    }  # fmt: skip
    answer = bundle(values, {"run": 1})
    match = bundle({"v": loss[::-1].copy()})

    def ready(route: Any) -> None:
        start = (fetched := route.fetch()).json()
        start["map"]["ready"] = [*start["map"]["ready"], "caption-match"]
        route.fulfill(response=fetched, json=start)

    page.route("**/start.json*", ready)
    page.route("**/state.json", ready)
    page.route("**/caption-match.bin", match)
    runs = held(page, "**/values.bin?run=1")
    page.goto(f"{page.url}&run=1")
    drawn(page)
    page.wait_for_function("studio.explore.state.values.match")
    answer(until(page, runs))
    panel = page.locator("#x-panel-filters")
    panel.get_by_label("Loss from").fill("1")
    panel.get_by_label("Loss from").press("Enter")
    panel.get_by_label("Words in caption or file name").fill("triangle")
    page.wait_for_function(f"document.documentElement.dataset.gridCount === '{COUNT}'")
    page.get_by_label("Sort by").select_option("match")  # whose values outlived the run's
    page.wait_for_timeout(500)

    page.unroute("**/values.bin?run=1")
    page.route("**/values.bin?run=1", answer)
    page.unroute("**/caption-match.bin")
    matches = held(page, "**/caption-match.bin")
    page.reload()
    drawn(page)
    page.wait_for_function("studio.explore.state.values.loss")
    page.wait_for_function(f"document.documentElement.dataset.gridCount === '{COUNT}'")
    match(until(page, matches))
    page.wait_for_function("studio.explore.state.values.match")
    assert page.evaluate("studio.explore.state.order[0]") == n - 1
    expect(panel.get_by_label("Loss from")).to_have_value("1")
    expect(panel.get_by_label("Loss to")).to_have_value("")
    expect(panel.get_by_label("Words in caption or file name")).to_have_value("triangle")
    heard = "studio.explore.state.listeners.get('mask').length"
    before = page.evaluate(heard)
    page.evaluate("studio.explore.chooseRun(studio.explore.state, 1)")
    assert page.evaluate(heard) == before

    refused = held(page, "**/values.bin?run=2")
    page.evaluate("void studio.explore.chooseRun(studio.explore.state, 2)")
    late = until(page, refused)
    page.evaluate("studio.explore.chooseRun(studio.explore.state, 1)")
    with page.expect_response("**/values.bin?run=2"):
        late.fulfill(status=404, json={"error": "There is no run 2."})
    page.wait_for_timeout(200)
    assert page.evaluate("studio.explore.state.run") == 1
    page.evaluate("void studio.explore.chooseRun(studio.explore.state, 2)")
    until(page, refused, 2).fulfill(status=404, json={"error": "There is no run 2."})
    expect(page.locator(".x-toast")).to_contain_text("There is no run 2.")
    assert page.evaluate("Object.keys(studio.explore.state.values)") == ["match"]


def test_what_is_typed_and_focused_outlives_changes_and_failures(page: Page) -> None:
    page.locator(".x-tile").nth(4).click()
    panel = page.locator("#x-panel-image")
    caption, save = panel.get_by_label("Caption"), panel.get_by_role("button", name="Save caption")

    def rebuilt(act: Callable[[], None]) -> None:
        """Do something after which the panel is another one."""
        panel.locator(".x-image-head").evaluate("(head) => (head.dataset.old = 1)")
        act()
        expect(panel.locator("[data-old]")).to_have_count(0)
        page.wait_for_timeout(100)

    caption.fill("A round thing")
    rebuilt(lambda: page.evaluate("studio.explore.state.emit('columns')"))
    expect(caption).to_have_value("A round thing")
    expect(caption).to_be_focused()
    page.route("**/caption", lambda route: route.fulfill(status=503, json={"error": "Not now."}))
    rebuilt(save.click)
    expect(page.locator(".x-toast")).to_contain_text("Not now.")
    expect(caption).to_have_value("A round thing")
    page.unroute("**/caption")
    rebuilt(save.click)
    expect(save).to_be_hidden()
    expect(caption).to_have_value("A round thing")
    page.locator(".x-toast").get_by_role("button", name="Undo").click()
    expect(caption).to_have_value("")

    label = panel.get_by_label("Label of this image")
    label.focus()
    rebuilt(lambda: label.select_option(label="square") and None)
    expect(label).to_be_focused()
    page.locator(".x-toast").get_by_role("button", name="Undo").click()

    page.route("**/neighbours/*", lambda route: route.abort())
    page.locator(".x-tile").nth(5).click()
    expect(panel.locator(".notice-error")).to_contain_text("fetch")  # where "Looking…" stood
    page.route("**/explore/*/image/*", lambda route: route.abort())
    page.locator(".x-tile").nth(6).click()
    expect(panel.locator(".x-large")).to_have_count(0)
    page.unroute("**/neighbours/*")
    page.unroute("**/explore/*/image/*")
    page.evaluate("dispatchEvent(new Event('studio:back'))")
    expect(panel.locator(".x-large")).to_be_visible()
    expect(panel.locator(".x-small")).to_have_count(12)


def test_the_grid_keeps_its_place_and_selects_from_where_was_clicked(page: Page) -> None:
    chosen = page.locator(".x-actions b")
    page.locator("#x-tile-3").click()
    page.locator("#x-tile-5").click(modifiers=["Shift"])
    expect(chosen).to_have_text("3 selected")
    page.keyboard.press("Escape")
    page.locator("#x-tile-3").click()
    page.get_by_label("Sort by").select_option("random")
    place = page.evaluate("studio.explore.state.order.indexOf(3)")
    page.locator("#x-tile-0").click(modifiers=["Shift"])
    expect(chosen).to_have_text(f"{place + 1} selected")
    page.keyboard.press("Escape")

    near = {"rows": [7, 8], "similarities": [0.9, 0.8]}
    page.route("**/neighbours/*count=500", lambda route: route.fulfill(json=near))
    page.get_by_role("button", name="Find similar").click()
    expect(page.locator("#x-tile-1 .x-why")).to_have_text("0.90")
    expect(page.locator("#x-tile-4 .x-why")).to_have_text("")  # it was not compared
    page.get_by_label("Sort by").select_option("file")

    page.evaluate("studio.explore.state.labels = new Int16Array(studio.explore.state.n).fill(-1)")
    page.get_by_role("tab", name="Filters").first.click()
    page.locator(".x-field", has_text="Label").locator("select").first.select_option("no")
    top, place = page.evaluate("""() => {
        const { grid } = document.querySelector(".x-grid");
        grid.scroller.scrollTop = 700;
        grid.render();
        const { state } = grid;
        grid.cursor = grid.first + 1;
        state.labels[state.order[grid.cursor]] = 0; // labelled: no longer listed
        state.refilter();
        return [grid.scroller.scrollTop, grid.cursor - grid.first];
    }""")
    assert (top, place) == (700, 1)


def test_older_answers_and_a_pinch_change_nothing(page: Page) -> None:
    one, two = page.evaluate("""() => {
        const { state } = studio.explore;
        return Promise.all([1, 2].map(async (count) => (await studio.fetchJson(
          `/explore/${state.dataset.id}/subset`,
          { name: `the first ${count}`, ids: state.idsOf([0, 1].slice(0, count)) })).subset));
    }""")
    page.reload()
    drawn(page)
    slow = held(page, f"**/subset.bin?subset={one}")
    subsets = page.locator(".x-field", has_text="Subset").locator("select")
    subsets.select_option(str(one))
    late = until(page, slow)
    subsets.select_option(str(two))
    page.wait_for_function("document.documentElement.dataset.gridCount === '2'")
    with page.expect_response(f"**/subset.bin?subset={one}"):
        late.continue_()
    page.wait_for_timeout(200)
    assert shown(page) == 2

    views = held(page, "**/points.bin?method=pca*")
    page.get_by_label("Projection").select_option("pca")
    late = until(page, views)
    page.evaluate("studio.explore.show(studio.explore.state, { method: 'umap' })")
    late.continue_()
    page.evaluate("studio.explore.coordinates(studio.explore.state, 'pca', 'image').then(() => 0)")
    assert page.evaluate("studio.explore.state.points.method") == "umap"

    for tool in ("box", "lasso"):
        page.locator(f".x-tool[data-tool={tool}]").click()
        page.evaluate("""() => {
            const over = document.querySelector(".x-over");
            over.setPointerCapture = () => {}; // these fingers are made up
            const { left, top } = over.getBoundingClientRect();
            const finger = (type, pointerId, x, y) => over.dispatchEvent(new PointerEvent(type,
              { pointerId, pointerType: "touch", clientX: left + x, clientY: top + y }));
            finger("pointerdown", 1, 20, 20);
            finger("pointermove", 1, 60, 60);
            finger("pointerdown", 2, 300, 300);
            finger("pointermove", 2, 320, 320);
            finger("pointerup", 2, 320, 320);
            for (const at of [200, 400, 600]) finger("pointermove", 1, at, at - 10);
            finger("pointerup", 1, 600, 590);
        }""")
        assert page.evaluate("studio.explore.state.region") is None
        expect(page.locator(".x-toast")).to_be_empty()


def test_changes_made_elsewhere_are_respected(page: Page) -> None:
    first, second, third = ids = page.evaluate("[...studio.explore.state.ids.slice(10, 13)]")
    base = page.evaluate("`/explore/${studio.explore.state.dataset.id}`")
    toast = page.locator(".x-toast")

    def elsewhere(name: str, body: dict[str, Any]) -> None:
        page.evaluate("([path, body]) => studio.fetchJson(path, body)", [f"{base}/{name}", body])

    none = {"labels": [], "outliers": [], "typical_distance": 1, "revision": 0, "run": None}
    groups = {"duplicates": [{"ids": ids, "exact": True}]}
    counts = {"found": {"labels": 0, "duplicates": 1, "outliers": 0}}
    page.route("**/findings.json", lambda route: route.fulfill(json=none | groups | counts))
    elsewhere("excluded", {"ids": [first], "excluded": True})
    page.reload()
    drawn(page)
    page.get_by_role("tab", name="Findings").click()
    panel = page.locator("#x-panel-findings")
    panel.get_by_role("heading", name="Near-duplicates").click()
    expect(panel.locator(".x-finding .x-small")).to_have_count(2)
    panel.get_by_role("button", name="Exclude the second").click()
    expect(toast).to_contain_text("1 image excluded")
    row = page.evaluate(f"studio.explore.state.rowOf({second})")
    assert page.evaluate(f"studio.explore.state.excluded[{row}]") == 0
    elsewhere("excluded", {"ids": ids, "excluded": False})

    page.locator("#x-tile-0").click(modifiers=["Control"])
    page.locator("#x-tile-1").click()
    page.locator(".x-actions").get_by_role("button", name="Exclude").click()
    expect(toast).to_contain_text("2 images excluded")
    at = page.evaluate("studio.explore.state.ids[0]")
    elsewhere("excluded", {"ids": [at], "excluded": False})
    toast.get_by_role("button", name="Undo").click()
    expect(toast).to_contain_text("Undone: 1 image as before. 1 image had been changed since")

    elsewhere("label", {"ids": [third], "name": "hexagon"})
    page.evaluate("studio.explore.reload(studio.explore.state)")
    page.get_by_role("tab", name="Filters").first.click()
    expect(page.locator(".x-check", has_text="hexagon")).to_be_visible()
    elsewhere("label", {"ids": [third], "label": 0})
