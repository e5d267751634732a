"""What the tests of the Explore page share: the page open on a dataset with its map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.seed import EXPLORED_COUNT
from tests.browser.studio import PATIENCE_MS

Page = Any
COUNT = EXPLORED_COUNT  # images of each of three classes
# Puts the page's modules into one global object, for the tests' scripts.
EXPOSE = """async () => {
    const names = ["explore/workbench", "explore/changes", "explore/run_values", "explore/views",
      "shell/http"];
    const modules = await Promise.all(names.map((name) => import(`/static/app/${name}.js`)));
    window.explore = Object.assign({}, ...modules);
}"""

# Ids of the images of the train split.
TRAINING_IDS = "[...explore.state.ids].filter((_, row) => explore.state.split(row) === 'train')"
# Their places in the grid, without those that are filtered out.
TRAINING_PLACES = """[...explore.state.order.keys()].filter(
    (place) => explore.state.split(explore.state.order[place]) === "train")"""


@pytest.fixture
def page(open_page: Callable[..., Page], explored: int) -> Page:
    page = open_page(f"/explore?dataset={explored}")
    drawn(page)
    return page


def drawn(page: Page, timeout: float = PATIENCE_MS) -> None:
    page.wait_for_function("document.documentElement?.dataset.mapDrawn", timeout=timeout)
    page.evaluate(EXPOSE)
    no_tour = page.get_by_role("button", name="No, thanks")
    if no_tour.count():
        no_tour.click()


def shown(page: Page) -> int:
    return int(page.evaluate("document.documentElement.dataset.gridCount"))
