"""The Finetune form: presets, the keyboard, the cost of a run, and clones of runs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.studio import Server
from tests.browser.test_whole_path import fill
from vecaf.store import SELECTION, TRAIN, Sample
from vecaf.store.sqlite import library
from vecaf.store.subsets import add_subset, delete_subset


def runs(server: Server) -> list[str]:
    with contextlib.closing(library.connect(server.home / "studio.db", timeout=30)) as database:
        rows = database.execute("SELECT json_extract(config, '$.strategy') FROM run ORDER BY id")
        return [row[0] for row in rows]


UNDER_ARROWS = """() => [...document.querySelectorAll(".wrap-inner input")].filter((input) => {
  const arrow = input.closest(".wrap-inner").querySelector(".icon-wrap");
  const { paddingRight, textOverflow } = getComputedStyle(input);
  const end = input.getBoundingClientRect().right - parseFloat(paddingRight);
  return textOverflow !== "ellipsis" || end > arrow.getBoundingClientRect().left;
}).map((input) => input.ariaLabel)"""
"""The drop-downs whose text runs under their arrow."""
SHIFTED = """() => new Promise((done) => {
  new PerformanceObserver((list) => done(
    list.getEntries().reduce((sum, entry) => sum + entry.value, 0)
  )).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(0), 1000);  // nothing has shifted
})"""
"""The cumulative layout shift so far; 0.1 and below is good (web.dev/articles/cls)."""


NEWEST_FIRST = """(() => {
  const fetched = window.fetch;
  window.questions = { asked: 0, open: 0 };
  window.fetch = async (address, options) => {
    if (!String(address?.url ?? address).includes("/queue/join")) return fetched(address, options);
    window.questions.open += 1;
    const delay = Math.max(0, 900 - 90 * window.questions.asked++);
    await new Promise((resume) => setTimeout(resume, delay));
    try { return await fetched(address, options); }
    finally { setTimeout(() => window.questions.open -= 1, 1500); }  // until it is answered
  };
})()"""
"""The questions that a page asks at the same time reach the server in reverse order."""


@pytest.fixture
def saved_selection(server: Server, dataset_id: int) -> Iterator[str]:
    """Return the name of a saved selection with four labeled images, there during the test."""
    store, name = server.store(), "the saved four"
    with store.write() as session:
        samples = session.query(Sample).filter_by(dataset_id=dataset_id, split=TRAIN).limit(4)
        ids = [sample.id for sample in samples]
        subset_id = add_subset(session, store.owner(), dataset_id, name, SELECTION, ids).id
    yield name
    with store.write() as session:
        delete_subset(session, store.owner(), subset_id)
    store.close()


@pytest.mark.soak
def test_the_summary_is_about_the_settings_that_the_form_shows(
    open_page: Callable[..., Any], server: Server, dataset_id: int, saved_selection: str
) -> None:
    page = open_page()
    page.add_init_script(NEWEST_FIRST)
    chosen = saved_selection.replace(" ", "+")
    page.goto(f"{server.url}/finetune?dataset={dataset_id}&subset={chosen}")
    summary = page.locator(".summary")
    for _ in range(2):
        expect(summary).to_contain_text("Run summary")
        page.wait_for_function("window.questions.asked && !window.questions.open")
        expect(page.locator("#f-subset input")).to_have_value(saved_selection)
        expect(summary).to_contain_text(f"4 from '{saved_selection}'", timeout=2000)
        page.reload()


def test_a_visit_to_saved_selections_does_not_overwrite_the_rounds(
    open_page: Callable[..., Any], server: Server, dataset_id: int
) -> None:
    page = open_page()
    page.add_init_script(NEWEST_FIRST.replace("900 - 90", "900 + 0"))
    page.goto(f"{server.url}/finetune?dataset={dataset_id}")
    rounds, command = page.locator("#f-rounds input").first, page.locator(".summary .command code")
    expect(command).to_be_visible()
    rounds.fill("5")
    page.keyboard.press("Tab")  # the list of saved selections opens
    rounds.click()  # and closes, which sends its value again
    rounds.fill("4")
    expect(command).to_contain_text("--rounds 4")
    page.wait_for_function("window.questions.asked && !window.questions.open")
    expect(rounds).to_have_value("4")


def test_a_dataset_that_is_not_there_is_not_replaced_by_another(
    open_page: Callable[..., Any], dataset: str
) -> None:
    page = open_page("/finetune?dataset=987654")
    launch = page.get_by_role("button", name="Launch run")
    expect(page.locator(".summary")).to_contain_text("There is no dataset 987654.")
    expect(launch).to_be_disabled()
    page.locator("#f-dataset input").click()
    page.get_by_role("option", name=dataset).click()
    expect(page.locator(".summary .command code")).to_contain_text(f"run '{dataset}'")
    expect(launch).to_be_enabled()


def test_launch_stays_in_view_on_a_phone(open_page: Callable[..., Any], dataset_id: int) -> None:
    page = open_page(f"/finetune?dataset={dataset_id}", width=390, height=844)
    launch, estimate = page.get_by_role("button", name="Launch run"), page.locator(".estimate")
    expect(estimate).to_contain_text(re.compile(r"\d labels · about \d+ batch"))
    for _ in range(2):
        expect(launch).to_be_in_viewport(ratio=1)
        expect(estimate).to_be_in_viewport(ratio=1)
        launch.click(trial=True)  # nothing covers it
        page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(UNDER_ARROWS) == []


def test_presets_fill_the_form_and_arrow_keys_choose(
    open_page: Callable[..., Any], dataset_id: int
) -> None:
    page = open_page(f"/finetune?dataset={dataset_id}")
    expect(page.locator(".summary")).to_contain_text("Run summary")
    assert page.evaluate(SHIFTED) < 0.1  # the form appears completely
    page.get_by_role("button", name="Best accuracy").click()
    expect(page.locator("#f-budget :is(input, textarea)").first).to_have_value("10%")
    expect(page.locator("#f-mode input[value=full]")).to_be_checked()
    expect(page.get_by_role("button", name="Best accuracy")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.locator("#f-strategy input").focus()
    page.keyboard.press("Tab")  # a group is one stop
    expect(page.locator("#f-track input:checked")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#f-strategy input")).to_be_focused()
    page.locator("#f-mode input[value=full]").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#f-mode input[value=lora]")).to_be_checked()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#f-mode input[value=head-only]")).to_be_checked()
    expect(page.locator("#f-mode input[value=head-only]")).to_be_focused()
    expect(page.locator(".summary .command code")).not_to_contain_text("--mode")
    expect(page.get_by_role("button", name="Best accuracy")).to_have_attribute(
        "aria-pressed", "false"
    )


def test_the_simple_view_has_a_budget_and_the_list_of_strategies_is_searched(
    open_page: Callable[..., Any], dataset_id: int
) -> None:
    page = open_page(f"/finetune?dataset={dataset_id}")
    page.get_by_role("button", name="Simple").click()
    expect(page.locator("#f-budget")).to_be_visible()
    expect(page.locator("#f-strategy")).to_be_hidden()
    expect(page.locator("#f-epochs")).to_be_hidden()
    page.reload()
    expect(page.locator("#f-budget")).to_be_visible()
    expect(page.locator("#f-strategy")).to_be_hidden()
    page.get_by_role("button", name="All settings").click()
    strategy = page.locator("#f-strategy input")
    expect(strategy).to_have_value(re.compile(r"vecaf \(recommended\)"))
    strategy.fill("badge")
    page.get_by_role("option", name=re.compile("^badge")).click()
    expect(page.locator(".summary .command code")).to_contain_text("--strategy badge")


def test_the_cost_is_measured_and_a_run_comes_with_its_baseline(
    open_page: Callable[..., Any], server: Server, dataset_id: int
) -> None:
    page = open_page(f"/finetune?dataset={dataset_id}")
    fill(page, "budget", "5")
    fill(page, "rounds", "1")
    fill(page, "epochs", "1")
    summary = page.locator(".summary")
    expect(summary).to_contain_text("1 epoch per round")  # the answer to the last change
    # Another test of this session may have left a run to estimate the time from.
    expect(summary).to_contain_text(re.compile("not measured yet|estimated from run"))
    page.get_by_role("button", name="Measure time and memory").click()
    expect(summary).to_contain_text("measured with this model on this device")
    expect(summary.locator(".facts")).to_contain_text(re.compile("MB|GB"))
    before = runs(server)
    page.get_by_label("Add a random baseline").check()  # other tests share the browser's storage
    page.get_by_role("button", name="Launch run").click()
    page.wait_for_url("**/runs?run=*")
    assert runs(server)[len(before) :] == ["vecaf", "random"]

    # A clone has the same settings. Without the checkmark, no baseline is launched.
    page.get_by_role("link", name="Clone settings").click()
    page.wait_for_url("**/finetune?clone=*")
    expect(page.locator("#f-budget :is(input, textarea)").first).to_have_value("5")
    expect(summary).to_contain_text("random baseline with these settings already exists")
    fill(page, "seed", "3")
    page.get_by_label("Add a random baseline").uncheck()
    expect(summary).to_contain_text("--seed 3")
    page.get_by_role("button", name="Launch run").click()
    page.wait_for_url("**/runs?run=*")
    assert runs(server)[len(before) :] == ["vecaf", "random", "vecaf"]


def test_trackers_are_chosen_on_the_page(
    open_page: Callable[..., Any], server: Server, dataset_id: int
) -> None:
    page = open_page(f"/finetune?dataset={dataset_id}")
    command = page.locator(".summary .command code")
    expect(command).to_contain_text("vecaf run")
    before = runs(server)
    page.get_by_role("button", name="All settings").click()
    page.get_by_text("Advanced settings").click()
    fill(page, "trackers", "tensorbord")
    expect(command).to_contain_text("--trackers tensorbord")
    page.get_by_role("button", name="Launch run").click()
    expect(page.get_by_text("did you mean tensorboard?")).to_be_visible()
    assert runs(server) == before
    fill(page, "trackers", "tensorboard, mlflow")
    expect(command).to_contain_text("--trackers 'tensorboard, mlflow'")
    page.locator("#f-trackers input").click()
    page.get_by_role("option", name="None", exact=True).click()
    expect(command).not_to_contain_text("--trackers")
