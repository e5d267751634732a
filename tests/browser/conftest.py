"""A real server with its worker on a temporary home, and a Chromium that can reach nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.seed import EXPLORED, READY, seeded_home
from tests.browser.studio import PATIENCE_MS, Server, free_port
from tests.chromium import launch

playwright = pytest.importorskip("playwright.sync_api")

playwright.expect.set_options(timeout=PATIENCE_MS)

ELSEWHERE = "studio.test"
"""A name of this machine that browsers trust no more than another machine's, as on plain http."""
ALL_SETTINGS = """if (location.protocol === "http:" && !localStorage.getItem("studio-settings"))
  localStorage.setItem("studio-settings", "all");"""
"""Finetune's form shows all settings, unless a test has switched to the simple view."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
    "--disable-features=PreloadTopChromeWebUI,MediaRouter,Translate,OptimizationHints",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a studio on a copy of the seeded home."""
    home = tmp_path_factory.mktemp("studio") / "home"
    shutil.copytree(seeded_home(tmp_path_factory), home)
    folders = str(tmp_path_factory.mktemp("folders"))
    server = Server(home, free_port(), ["--no-demo"], folders)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def dataset(server: Server) -> str:
    """Return the name of a small dataset with labels."""
    return READY


@pytest.fixture(scope="session")
def dataset_id(server: Server, dataset: str) -> int:
    return int(server.value("SELECT id FROM dataset WHERE name = ?", dataset))


@pytest.fixture(scope="session")
def run(server: Server) -> str:
    """Return the path of a small finished run of two rounds on `dataset`."""
    return f"/runs?run={server.value('SELECT min(id) FROM run')}"


@pytest.fixture(scope="session")
def explored(server: Server) -> int:
    """Return the id of a dataset whose map is computed."""
    return int(server.value("SELECT id FROM dataset WHERE name = ?", EXPLORED))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = launch(driver, FLAGS)
        yield browser
        browser.close()


def new_context(browser: Any, **options: Any) -> Any:
    """Return a new browser context without animations, which take much processor time."""
    options = {"accept_downloads": True, "reduced_motion": "reduce", **options}
    context = browser.new_context(**options)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.add_init_script(ALL_SETTINGS)
    return context


@pytest.fixture(scope="session")
def shared_context(browser: Any) -> Any:
    """Return the context of all tests that need no other. Its cache holds the scripts of pages."""
    return new_context(browser)


def forget(context: Any, origin: str) -> None:
    """Close the pages of a context, and delete everything that they stored except the cache."""
    for page in context.pages:
        page.close()
    context.set_offline(False)
    context.clear_cookies()
    page = context.new_page()
    kinds = "local_storage,indexeddb,cache_storage,service_workers,file_systems"
    page.context.new_cdp_session(page).send(
        "Storage.clearDataForOrigin", {"origin": origin, "storageTypes": kinds}
    )
    page.close()


@pytest.fixture
def open_page(browser: Any, shared_context: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Open pages in one profile. Requests to other hosts and script errors fail the test."""
    strays: list[str] = []
    errors: list[str] = []
    contexts: list[Any] = [shared_context]
    asked: list[dict[str, Any]] = [{}]  # the options of each of them

    def watch(request: Any) -> None:
        if not request.url.startswith((server.url, "data:", "blob:")):
            strays.append(request.url)

    def note(error: str, forgive: str) -> None:
        if not (forgive and forgive in error):
            errors.append(error)

    def open_page(
        path: str = "/", *, width: int = 1440, height: int = 900, forgive: str = "", **options: Any
    ) -> Any:
        if options and options != asked[-1]:
            asked.append(options)
            contexts.append(new_context(browser, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.set_viewport_size({"width": width, "height": height})
        page.on("request", watch)
        page.on("pageerror", lambda error: note(str(error), forgive))
        page.goto(server.url + path)
        page.wait_for_selector(".live:not([aria-busy])", state="attached")
        return page

    yield open_page
    for context in contexts[1:]:
        context.close()
    forget(shared_context, server.url)
    server.cancel_jobs()
    assert not strays, f"Requests left this host: {strays}"
    assert not errors, f"Errors in the page: {errors}"
