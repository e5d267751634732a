"""A run's page: its model labels the rest of the pool, and the labels are undone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.browser.studio import Server, shapes
from tests.runs.test_label_rest import add_predicted_run
from vecaf.store import dataset_named

NAME = "rest of the shapes"


def test_the_model_labels_the_rest_and_its_labels_are_undone(
    open_page: Callable[..., Any], server: Server, tmp_path: Path
) -> None:
    server.upload(NAME, shapes(tmp_path / "rest.zip", 40, seed=8).read_bytes())
    store = server.store()
    with store.read() as session:
        dataset_id = dataset_named(session, store.owner(), NAME).id
    run_id, truth = add_predicted_run(store, dataset_id, NAME)
    store.close()
    labeled = "SELECT count(*) FROM sample WHERE dataset_id = ? AND label IS NOT NULL"
    before = server.value(labeled, dataset_id)
    page = open_page(f"/runs?run={run_id}")
    card = page.locator("[data-key=label-rest]")
    card.get_by_role("link", name="10%", exact=True).click()
    expect(card).to_contain_text("with at most 10% wrong labels (90% confidence)")
    card.get_by_role("link", name="80%", exact=True).click()
    expect(card).to_contain_text("at most 10% wrong labels (80% confidence)")
    card.get_by_role("button", name=re.compile(r"Label \d+ images")).click()
    expect(card).to_contain_text("The model labeled")
    assert before < server.value(labeled, dataset_id) < len(truth)
    expect(card.get_by_role("link", name=re.compile(r"Label \d+ images? yourself"))).to_be_visible()
    card.get_by_role("button", name="Undo labels").click()
    expect(card.get_by_role("button", name=re.compile(r"Label \d+ images"))).to_be_visible()
    assert server.value(labeled, dataset_id) == before
