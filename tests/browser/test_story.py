"""The complete workflow in a browser: from unlabeled photos to a model used without the studio.

Upload, explore, select images, label them by keyboard, finetune, compare with random images,
download the model, and predict with its files in a process without the studio. The server restarts
while labels are unsent and while a run is queued, and nothing is lost. The large story has more
images, a target domain, and a restart during every long step.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.exploring import drawn
from tests.browser.studio import ROOT, Server

PHOTOS = ROOT.parent / "shared" / "data" / "pacs_photo.zip"
SLOW = 240_000  # maximum milliseconds of a stage on a busy machine

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not PHOTOS.exists(), reason="needs ../shared/data/pacs_photo.zip"),
]


@dataclass(frozen=True)
class Scale:
    """How many images the story uses, and whether it contains all steps and restarts."""

    photos: int
    selected: int
    tests: int
    complete: bool
    correct: int  # of ten photos, at least; 1.4 by chance


SMALL, LARGE = Scale(140, 21, 14, False, 5), Scale(500, 70, 60, True, 7)


def stripped(archive: Path, count: int) -> dict[str, str]:
    """Write photos without folders under shuffled names, and return their classes by name."""
    truth = {}
    with zipfile.ZipFile(PHOTOS) as source, zipfile.ZipFile(archive, "w") as out:
        names = sorted(name for name in source.namelist() if name.endswith(".jpg"))
        random.Random(0).shuffle(names)
        for number, name in enumerate(names[:count]):
            truth[f"photo-{number:04}.jpg"] = name.split("/")[-2]
            out.writestr(f"photo-{number:04}.jpg", source.read(name))
    return truth


def label_by_keyboard(
    page: Any, truth: dict[str, str], classes: list[str], count: int, start: int = 0
) -> None:
    """Press the number key of every image's true class.

    `start` of the `count` images already have a label.

    """
    for done in range(start, count):
        caption = page.locator(".label-one figcaption span").first
        expect(page.locator(".label-head")).to_contain_text(f"{done} of {count} labeled")
        name = caption.inner_text().rpartition(" · ")[2]
        page.keyboard.press(str(classes.index(truth[name]) + 1))
    expect(page.locator(".label-head")).to_contain_text(f"{count} of {count} labeled")
    expect(page.locator(".label-head")).to_contain_text("Saved", timeout=SLOW)


def restart(server: Server, page: Any, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Stop the server and its worker, and start them again. `page` continues without a reload."""
    server.stop()
    meanwhile()
    expect(page.locator(".away")).to_be_visible(timeout=SLOW)
    server.start()
    expect(page.locator(".away")).to_have_count(0, timeout=SLOW)


def launch(page: Any, title: str, server: Server | None = None) -> str:
    """Launch a run on the selection that was just labeled, and return its number.

    If `server` is given, it is restarted as soon as the run is queued.

    """
    expect(page.locator("h1", has_text=title)).to_be_visible()
    page.get_by_role("button", name="Launch run").click(timeout=SLOW)
    page.wait_for_url("**/runs?run=*")
    if server is not None:
        restart(server, page)
    expect(page.locator(".run-head .chip")).to_contain_text("finished", timeout=SLOW)
    return str(page.url).rpartition("=")[2]


def compare_in_target_domain(server: Server, page: Any, dataset: str) -> None:
    """Preview a target domain and launch a pair of runs."""
    page.goto(f"{server.url}/shift?dataset={dataset}")
    page.get_by_label("Target domain").fill("in thick fog")
    page.get_by_role("button", name="Preview shift").click()
    expect(page.get_by_role("heading", name="Shift preview")).to_be_visible(timeout=SLOW)
    page.locator("#shift-pairs [name=budget]").fill("50%")
    page.get_by_role("button", name="Launch both runs").click()
    page.wait_for_url("**pair=*")
    restart(server, page)
    expect(page.locator(".shift-runs .chip", has_text="finished")).to_have_count(2, timeout=SLOW)


@pytest.mark.soak
@pytest.mark.parametrize("scale", [SMALL, LARGE], ids=["small", "large"])
def test_the_whole_story(
    open_page: Callable[..., Any], server: Server, tmp_path: Path, scale: Scale
) -> None:
    truth = stripped(tmp_path / "photos.zip", scale.photos)
    classes = sorted(set(truth.values()))

    def disturb() -> None:
        if scale.complete:
            restart(server, page)

    # Upload.
    page = open_page("/")
    page.set_input_files(".drop input[type=file]", tmp_path / "photos.zip")
    name = f"{scale.photos} unlabeled photos"  # both stories use one studio
    page.locator(".drop [name=name]").fill(name)
    page.get_by_role("button", name="Upload", exact=True).click()
    card = page.locator(".dataset", has_text=name)
    expect(card).to_be_visible(timeout=SLOW)
    expect(card).to_contain_text(f"{len(truth):,} images")
    card.get_by_role("link", name="Details").click()
    page.wait_for_url("**dataset=*")
    dataset = re.search(r"dataset=(\d+)", page.url)
    assert dataset is not None

    # Explore: the map appears without a click, and a text search finds matching images.
    page.goto(f"{server.url}/explore?dataset={dataset[1]}")
    expect(page.locator(".x-wait")).to_contain_text("Computing the map", timeout=SLOW)
    page.wait_for_selector("#explore-host .explore")  # Gradio has rendered all components
    disturb()
    drawn(page, SLOW)
    page.wait_for_function("explore.state.map.ready.includes('umap')", timeout=SLOW)
    page.get_by_label("Search images by text").fill("a photo of a horse")
    page.keyboard.press("Enter")
    expect(page.locator(".x-chip").first).to_contain_text("horse", timeout=SLOW)

    # Select images, view the explanation of one, and save the selection.
    page.goto(f"{server.url}/select?dataset={dataset[1]}")
    page.locator(".select-page [name=budget]").fill(str(scale.selected))
    page.get_by_role("button", name="Select images").click()
    page.wait_for_url("**/select?*task=*")
    disturb()
    expect(page.locator(".gallery-image")).to_have_count(scale.selected, timeout=SLOW)
    page.locator(".gallery-image").nth(3).click()
    expect(page.locator(".gallery-image[aria-current]")).to_have_count(1)
    page.reload()
    expect(page.locator(".gallery-image")).to_have_count(scale.selected)
    page.get_by_role("button", name="Save and label images").click()
    page.wait_for_url("**/label?*subset=*")
    selection = page.url

    # Label by keyboard. Three labels are set while the server is down; it gets them later.
    page.locator("textarea[name=classes]").fill("\n".join(classes))
    page.get_by_role("button", name="Start labeling").click()

    def three_more() -> None:
        for _ in range(3):
            name = page.locator(".label-one figcaption span").first.inner_text()
            page.keyboard.press(str(classes.index(truth[name.rpartition(" · ")[2]]) + 1))

    three_more()
    expect(page.locator(".label-head")).to_contain_text("Saved")
    restart(server, page, meanwhile=three_more)
    expect(page.locator(".label-head .num")).to_have_text("Saved", timeout=SLOW)
    page.reload()
    label_by_keyboard(page, truth, classes, scale.selected, start=6)

    # A random test sample, so that accuracy can be measured; a random baseline to compare with.
    page.goto(f"{server.url}/label?dataset={dataset[1]}")
    page.locator("[name=count]").fill(str(scale.tests))
    page.get_by_role("button", name="Create test sample").click()
    page.wait_for_url("**/label?*subset=*")
    label_by_keyboard(page, truth, classes, scale.tests)
    page.goto(selection)
    done = f"{scale.selected} of {scale.selected} labeled"
    expect(page.locator(".label-head")).to_contain_text(done)
    page.get_by_role("button", name="Create random selection").first.click()
    expect(page.locator("h1", has_text="random images")).to_be_visible()
    page.wait_for_selector(".label-one")
    baseline = page.url
    already = int(page.locator(".label-head .progress-words span").first.inner_text().split()[0])
    label_by_keyboard(page, truth, classes, scale.selected, start=already)

    # Finetune on both selections, and compare the runs.
    page.goto(selection)
    run = launch(page, "vecaf", server)
    page.goto(baseline)
    other = launch(page, "random")
    page.goto(f"{server.url}/compare?runs={run},{other}")
    expect(page.locator(".compare-top")).to_contain_text(
        re.compile("vecaf.* is (better|worse|ahead|behind) |equally accurate")
    )

    if scale.complete:
        compare_in_target_domain(server, page, dataset[1])

    # Download the model, and use it without the studio.
    page.goto(f"{server.url}/predict?run={run}")
    page.get_by_role("button", name="Prepare download").click()
    everything = page.get_by_role("link", name="Download model")
    expect(everything).to_be_visible(timeout=SLOW)
    with page.expect_download(timeout=SLOW) as download:
        everything.click()
    folder = tmp_path / "model"
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(folder)
    assert predicted_right(folder, tmp_path / "photos.zip", truth) >= scale.correct


def predicted_right(folder: Path, archive: Path, truth: dict[str, str]) -> int:
    """Count how many of ten photos the exported files classify correctly in a separate process."""
    names = sorted(truth)[:10]
    program = next(folder.rglob("predict.py"))
    with zipfile.ZipFile(archive) as photos:
        photos.extractall(folder, names)
    printed = subprocess.run(
        # isolated: the studio's own packages can't be imported
        [sys.executable, "-I", str(program), *(str(folder / name) for name in names)],
        cwd=program.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    answers = [json.loads(line)["classes"] for line in printed.splitlines()]
    best = [next(iter(classes)) for classes in answers]
    return sum(found == truth[name] for found, name in zip(best, names, strict=True))
