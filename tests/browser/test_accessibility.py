"""axe-core finds nothing serious on any page, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
SERIOUS = ("serious", "critical")
PAGES = (
    "/",
    "/?dataset={dataset}",
    "/explore?dataset={dataset}",
    "/select?dataset={dataset}",
    "/label?dataset={dataset}",
    "/finetune?dataset={dataset}",
    "/runs",
    "/runs?run={run}",
    "/compare?runs={run}",
    "/shift?dataset={dataset}",
    "/predict?run={run}",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    open_page: Callable[..., Any], dataset_id: int, run: str, scheme: str
) -> None:
    """`run` is the path of a finished run on the dataset."""
    width = {"light": 1440, "dark": 390}[scheme]
    found = []
    for path in PAGES:
        address = path.format(dataset=dataset_id, run=run.rpartition("=")[2])
        page = open_page(address, width=width, height=900, color_scheme=scheme)
        page.wait_for_timeout(800)  # what arrives after the first answer is looked at, too
        page.add_script_tag(content=AXE.read_text())
        report = page.evaluate("axe.run({ resultTypes: ['violations'] })")
        found += [
            f"{address}: {one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]}"
            for one in report["violations"]
            if one["impact"] in SERIOUS
        ]
        page.close()
    assert not found, "\n".join(found)
