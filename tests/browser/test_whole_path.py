"""The main workflow in a browser: from a ZIP file to a model that predicts in another process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.browser.studio import ROOT, Server, shapes

PREDICT = """
import sys
from pathlib import Path
from vecaf.export.predictor import Predictor
predictor = Predictor.load(Path(sys.argv[1]), device="cpu")
shares = predictor.predict(Path(sys.argv[2]))
print(max(shares, key=shares.get))
"""


def fill(page: Any, name: str, value: str) -> None:
    field = page.locator(f"#f-{name} input, #f-{name} textarea").first
    field.fill(value)
    field.blur()


def test_from_a_zip_to_a_model(
    open_page: Callable[..., Any], server: Server, tmp_path: Path
) -> None:
    archive = shapes(tmp_path / "My shapes.zip", 24)
    page = open_page("/")

    # Upload: the name is prefilled. The import shows its progress and ends with a card.
    page.set_input_files(".drop input[type=file]", archive)
    expect(page.locator(".drop [name=name]")).to_have_value("My shapes")
    page.get_by_role("button", name="Upload", exact=True).click()
    card = page.locator(".dataset", has_text="My shapes")
    expect(card).to_be_visible()
    expect(card).to_contain_text("72 images")
    expect(card.locator(".classes li")).to_have_count(3)
    expect(card.locator(".thumb img").first).to_have_js_property("complete", True)
    card.get_by_role("link", name="Details").click()
    page.get_by_role("link", name="Import report").click()
    expect(page.locator(".detail")).to_contain_text("Imported 72 images with 3 classes")

    # Finetune: the link sets the dataset, and the command line follows the fields.
    page.locator(".detail").get_by_role("link", name="Finetune model").click()
    expect(page.locator("#f-dataset input")).to_have_value("My shapes")
    fill(page, "budget", "12")
    fill(page, "rounds", "2")
    fill(page, "epochs", "4")
    page.locator("#f-mode").get_by_text("full", exact=True).click()
    command = page.locator(".summary .command code")
    expect(command).to_have_text(
        "python -m vecaf run 'My shapes' --budget 12 --rounds 2 --mode full --epochs 4"
    )
    expect(page.locator(".summary")).to_contain_text("24 of")
    page.locator("#f-baseline input").uncheck()  # test_finetune.py has one
    expect(page.locator(".estimate")).not_to_contain_text("plus a random baseline")
    page.get_by_role("button", name="Launch run").click()
    page.wait_for_url("**/runs?run=*")
    address = page.url

    # Curves grow while it runs.
    charts = page.locator(".charts")
    points = "document.querySelector('.charts')?.dataset.points | 0"
    page.wait_for_function(f"({points}) > 2")
    before = page.evaluate(points)
    page.wait_for_function(f"({points}) > {before}")
    expect(charts.locator(".main-svg").first).to_be_visible()
    expect(page.locator(".selected .thumb")).to_have_count(12)

    # Cancel, close the tab, come back, resume.
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".run-head .chip")).to_contain_text("canceled")
    page.close()
    page = open_page(address.removeprefix(server.url))
    expect(page.locator(".run-head .chip")).to_contain_text("canceled")
    kept = page.evaluate(points)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".run-head .chip")).to_contain_text("finished", timeout=300_000)
    assert page.evaluate(points) > kept

    # The results: the selected images of both rounds, the confusion matrix, the model.
    expect(page.locator(".tabs a")).to_have_count(2)
    expect(page.locator(".matrix tbody tr")).to_have_count(3)
    page.locator(".tabs a").first.click()
    expect(page).to_have_url(f"{address}&round=1")
    page.get_by_role("link", name="Download model").click()
    everything = page.get_by_role("link", name="Download model (ZIP)")
    expect(everything).to_be_visible(timeout=300_000)
    with page.expect_download() as download:
        everything.click()
    folder = tmp_path / "model"
    with zipfile.ZipFile(download.value.path()) as packed:
        packed.extractall(folder)
    assert download.value.suggested_filename.endswith(".zip")
    names = {path.name for path in folder.iterdir()}
    assert {"model.safetensors", "model.onnx", "labels.json", "config.json", "predict.py"} <= names
    page.click("summary:has-text('Individual files')")
    with page.expect_download() as download:
        page.click("a:text-is('receipt.json')")
    alone = Path(download.value.path()).read_text()
    assert json.loads(alone) == json.loads((folder / "receipt.json").read_text())
    with zipfile.ZipFile(archive) as images:
        image = Path(images.extract("circle/circle-003.png", tmp_path))
    answer = subprocess.run(
        [sys.executable, "-c", PREDICT, str(folder), str(image)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert answer.stdout.strip() in ("circle", "square", "triangle")


def test_a_dataset_is_chosen_by_name(open_page: Callable[..., Any], dataset: str) -> None:
    page = open_page("/finetune")
    page.locator("#f-dataset input").click()
    page.get_by_role("option", name=dataset).click()
    expect(page.locator(".summary .command code")).to_contain_text(f"run '{dataset}'")


def test_the_list_shows_every_run(open_page: Callable[..., Any], run: str) -> None:
    page = open_page(run)
    page.get_by_role("link", name="All runs").click()
    row = page.locator(f"[data-key=run-{run.rpartition('=')[2]}]")
    expect(row).to_contain_text("finished")
    expect(row).to_contain_text("%")
    row.locator("a").click()
    expect(page).to_have_url(re.compile(re.escape(run) + "$"))
    expect(page.locator(".run-head .chip")).to_contain_text("finished")
