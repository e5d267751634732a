"""axe-core finds no serious problem on any page: light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from app.pages import PAGES

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
SERIOUS = ("serious", "critical")
VIEWS = {
    "/": ("/", "/?dataset={dataset}"),
    "/runs": ("/runs", "/runs?run={run}"),
    "/compare": ("/compare?runs={run}",),
    "/explore": ("/explore?dataset={explored}",),
    "/predict": ("/predict?run={run}",),
}
"""Addresses of pages that show more than a dataset."""


@pytest.mark.soak  # test_explore.py and test_login.py check two pages
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_finds_nothing_serious(
    open_page: Callable[..., Any],
    dataset_id: int,
    explored: int,
    run: str,
    scheme: str,
    width: int,
) -> None:
    """`run` is the path of a finished run on the dataset. Pages follow the system's scheme."""
    found = []
    views = [VIEWS.get(page.path, (page.path + "?dataset={dataset}",)) for page in PAGES]
    for view in chain.from_iterable(views):
        address = view.format(dataset=dataset_id, explored=explored, run=run.rpartition("=")[2])
        page = open_page(
            address, width=width, height=900, color_scheme=scheme, reduced_motion="reduce"
        )
        page.wait_for_selector("gradio-app .live", state="attached")  # Explore starts outside of it
        page.wait_for_timeout(800)  # wait for content that arrives after the first response
        page.add_script_tag(content=AXE.read_text())
        page.wait_for_function(
            "dark => document.body.classList.contains('dark') === dark", arg=scheme == "dark"
        )
        report = page.evaluate("axe.run({ resultTypes: ['violations'] })")
        found += [
            f"{address} {scheme}: {one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]}"
            for one in report["violations"]
            if one["impact"] in SERIOUS
        ]
        page.close()
    assert not found, "\n".join(found)
