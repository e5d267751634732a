"""What the tests of the Explore page share: a dataset with its map, and the page open on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import Server, shapes, wait_for
from vecaf.store.sqlite import library

Page = Any
COUNT = 40  # images of each of three classes
NAME = "to explore"
# Puts the page's modules into one global object, for the tests' scripts.
EXPOSE = """async () => {
    const names = ["explore/workbench", "explore/changes", "explore/run_values", "explore/views",
      "shell/http"];
    const modules = await Promise.all(names.map((name) => import(`/static/app/${name}.js`)));
    window.explore = Object.assign({}, ...modules);
}"""


@pytest.fixture(scope="session")
def explored(server: Server, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Return a dataset whose map has been computed, because the page asked for it."""
    from vecaf.engine.queue import submit_import, submit_task
    from vecaf.settings import Settings
    from vecaf.store import Store

    def value(query: str, *which: object) -> Any:
        with contextlib.closing(library.connect(server.home / "studio.db", timeout=30)) as base:
            row = base.execute(query, which).fetchone()
            return row[0] if row else None

    known = value("SELECT id FROM dataset WHERE name = ?", NAME)
    if known:  # another test file that imports this fixture made it
        return int(known)
    archive = shapes(tmp_path_factory.mktemp("shapes") / "explore.zip", COUNT, seed=3)
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(server.home)}))
    import_id = submit_import(store, archive, NAME, store.owner())
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


def drawn(page: Page, timeout: float = 60_000) -> None:
    page.wait_for_function("document.documentElement?.dataset.mapDrawn", timeout=timeout)
    page.evaluate(EXPOSE)
    no_tour = page.get_by_role("button", name="No, thanks")
    if no_tour.count():
        no_tour.click()


def shown(page: Page) -> int:
    return int(page.evaluate("document.documentElement.dataset.gridCount"))
