"""A run with its random baseline, mistakes and map of selected images; comparison of runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.studio import Server

ZOOM = "(ends) => Plotly.relayout(document.querySelector('.js-plotly-plot'), {'yaxis.range': ends})"
LONG = 240_000  # the worker starts a process for each run and task


def test_a_run_is_compared_with_its_random_baseline(
    open_page: Callable[..., Any], server: Server, run: str
) -> None:
    page = open_page(run)
    page.get_by_role("button", name="Launch random baseline").click()
    verdict = page.locator(".baseline-comparison .notice")
    expect(verdict).to_contain_text("the random baseline", timeout=LONG)
    expect(verdict).to_contain_text("95% confidence interval")
    expect(page.locator(".baseline-comparison tbody tr")).to_have_count(2)
    expect(page.locator("[data-chart=rounds] .legend")).to_contain_text("random baseline")
    heights = (
        "[...document.querySelectorAll('.chart h3')].map((one) => one.getBoundingClientRect().y)"
    )
    assert len(page.evaluate(heights)) == 3
    assert max(page.evaluate(heights)) - min(page.evaluate(heights)) < 1

    # Check two boxes in the list, and follow the link. Then plot the same lines against batches.
    page.get_by_role("link", name="All runs").click()
    baseline = server.value("SELECT max(id) FROM run")
    for number in (run.rpartition("=")[2], baseline):
        page.locator(f"[data-key=run-{number}] [data-compare]").check()
    page.get_by_role("link", name="Compare 2 runs").click()
    page.wait_for_url("**/compare?runs=*")
    expect(page).to_have_title("Compare · VeCAF Studio")
    expect(page.locator(".bar nav [aria-current]")).to_have_text("Runs")
    expect(page.locator(".verdicts .notice")).to_contain_text("random")
    expect(page.locator("[data-chart=accuracy] .xtitle")).to_have_text("labeled images")
    page.get_by_role("button", name="batches", exact=True).click()
    expect(page.locator("[data-chart=accuracy] .xtitle")).to_have_text("batches")
    for low, high in ((0.5, 0.52), (0.981, 0.9834), (0.9, 0.9001)):
        page.evaluate(ZOOM, [low, high])
        ticks = page.locator("[data-chart=accuracy] .ytick text").all_text_contents()
        assert len(ticks) > 2 and len(set(ticks)) == len(ticks), ticks
    expect(page.locator(".configs .differs")).to_have_count(1)
    expect(page.locator(".configs .differs")).to_contain_text("random")

    # The address stores the target.
    page.locator(".target input[type=number]").fill("1")
    page.locator(".target input[type=number]").blur()
    expect(page).to_have_url(re.compile("target=1"))
    first = page.locator("[data-key=targets] tbody tr").first
    expect(first).to_contain_text("6 labels")  # the first round already reaches it
    page.locator(".target input[type=number]").fill("100")
    page.locator(".target input[type=number]").blur()
    page.wait_for_url("**target=100*")
    page.reload()
    expect(page.locator(".target input[type=number]")).to_have_value("100.0")

    # The list shows the runs of a state or with a tag, renames one, tags one and deletes one.
    page.goto(f"{server.url}/runs")
    row = page.locator(f"[data-key=run-{baseline}]")
    row.get_by_role("checkbox").check()
    page.get_by_label(f"Name of run {baseline}").fill("random for comparison")
    page.get_by_role("button", name="Rename run").click()
    expect(row).to_contain_text("random for comparison")
    page.get_by_label(f"Tags of run {baseline}").fill("baselines, to keep")
    page.get_by_role("button", name="Save tags").click()
    expect(row.locator(".run-tags span")).to_have_text(["baselines", "to keep"])
    tags = page.locator(".dataset-picker", has=page.get_by_text("Tag", exact=True))
    tags.locator("select").select_option(label="to keep")
    expect(page.locator(".run-row")).to_have_count(1)
    tags.locator("select").select_option(label="any tag")
    page.get_by_label("State").select_option(label="failed")
    expect(row).to_have_count(0)
    page.get_by_label("State").select_option(label="finished")
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete run…").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete run").click()
    expect(row).to_have_count(0)


def test_the_list_of_runs_keeps_the_chosen_columns(open_page: Callable[..., Any], run: str) -> None:
    page = open_page("/runs")
    row = page.locator(f"[data-key=run-{run.partition('=')[2]}]")
    labels, seed = row.locator("[data-column=labels]"), row.locator("[data-column=seed]")
    expect(row.locator("[data-column=rounds]")).to_have_text("2 of 2")
    expect(labels).to_be_hidden()
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("Labels").check()
    page.get_by_label("Rounds").uncheck()
    expect(labels).to_have_text("12")
    expect(seed).to_be_hidden()
    page.get_by_role("heading", name="Runs").click()
    expect(page.get_by_label("Rounds")).to_be_hidden()  # the menu is closed
    page.reload()
    expect(labels).to_be_visible()
    expect(row.locator("[data-column=rounds]")).to_be_hidden()
    expect(page.locator(".runs-head [data-column=labels]")).to_be_visible()


def test_a_confusion_leads_to_its_images(open_page: Callable[..., Any], run: str) -> None:
    page = open_page(run)
    cell = page.locator(".matrix tbody a").first
    count = int(cell.inner_text())
    words = cell.get_attribute("aria-label") or ""
    cell.focus()
    page.keyboard.press("Enter")
    images = page.locator("#cell .thumb")
    expect(images).to_have_count(count)
    expect(page.locator("#cell h3")).to_contain_text(words.split(" predicted")[0])
    page.reload()
    expect(images).to_have_count(count)
    page.go_back()
    expect(images).to_have_count(0)


@pytest.mark.soak
def test_the_map_shows_the_selected_images_round_by_round(
    open_page: Callable[..., Any], run: str
) -> None:
    page = open_page(run)
    place = page.locator(".round-map")
    compute = page.get_by_role("button", name="Compute map")
    expect(compute.or_(place).first).to_be_visible()
    if compute.count():  # unless another test has computed this dataset's map
        compute.click()
    expect(place.locator(".round-map-caption")).to_contain_text(
        "Round 2 selected 6 images", timeout=LONG
    )
    slider = place.get_by_role("slider")
    slider.press("Home")
    expect(place.locator(".round-map-caption")).to_contain_text("none selected yet")
    dark = "document.querySelector('.round-map canvas').toDataURL().length"
    before = page.evaluate(dark)
    place.get_by_role("button", name="Play").click()
    expect(place.locator(".round-map-caption")).to_contain_text("Round 2 selected 6 images")
    assert page.evaluate(dark) != before


def test_a_page_says_what_cannot_be_compared(open_page: Callable[..., Any]) -> None:
    page = open_page("/compare")
    expect(page.locator(".empty")).to_contain_text("at least two runs")
    page.goto(page.url + "?runs=987654")
    expect(page.locator(".empty")).to_contain_text("There is no run 987654")
