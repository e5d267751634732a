"""The Label page gives a project to Label Studio, and takes its export back."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.studio import Server
from tests.browser.test_label import KINDS, new_task, unlabeled_shapes

NAME = "shapes for annotators"


@pytest.mark.soak  # tests/datasets/formats reads and writes its files
def test_a_task_is_labeled_in_label_studio(
    open_page: Callable[..., Any],
    server: Server,
    tmp_path: Path,
) -> None:
    server.upload(NAME, unlabeled_shapes(tmp_path))
    page = open_page(new_task(server, "elsewhere", 4, KINDS, NAME))
    done = page.locator(".label-head .progress-words")
    expect(done).to_contain_text("0 of 4")
    page.get_by_text("Label in Label Studio").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download project").click()
    with zipfile.ZipFile(download.value.path()) as project:
        tasks = json.loads(project.read("tasks.json"))
        assert b'<Choice value="circle"/>' in project.read("config.xml")
        images = [name for name in project.namelist() if name.endswith((".png", ".jpg"))]
    assert len(images) == len(tasks) == 4
    assert all(0 < task["predictions"][0]["score"] <= 1 for task in tasks)
    assert all(
        task["predictions"][0]["result"][0]["value"]["choices"][0] in KINDS for task in tasks
    )

    # As an annotator does in Label Studio: accept three predictions, skip one task.
    for task_ in tasks[:3]:
        task_["annotations"] = [{"result": task_["predictions"][0]["result"]}]
    tasks[3]["annotations"] = []
    export = tmp_path / "project.json"
    export.write_text(json.dumps(tasks))
    files = page.get_by_label("Label Studio export")
    files.set_input_files(export)
    expect(page.get_by_text("3 images labeled. 1 task had no label.")).to_be_visible()
    expect(done).to_contain_text("3 of 4 labeled")

    export.write_text(json.dumps([{"data": {"image": "x.jpg", "sample_id": 1}, "annotations": []}]))
    files.set_input_files(export)
    expect(page.get_by_text("is not in this selection")).to_be_visible()
