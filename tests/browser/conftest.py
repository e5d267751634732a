"""A real server with its worker on a temporary home, and a Chromium that can reach nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.chromium import launch
from vecaf.store.sqlite import library

playwright = pytest.importorskip("playwright.sync_api")

playwright.expect.set_options(timeout=60_000)  # a busy machine is slow to answer

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = "studio.test"
"""A name of this machine that browsers trust no more than another machine's, as on plain http."""
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
START_SECONDS = 180  # on a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Server:
    """Runs `python -m app` on a free port."""

    home: Path
    port: int
    options: list[str] = field(default_factory=list)
    folders: str = ""  # that the Data page may import from
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "app", "--port", str(self.port), "--home", str(self.home)]
        environment = {**os.environ, "DATABASE_URL": "", "VECAF_FOLDERS": self.folders}
        self.process = subprocess.Popen([*command, *self.options], cwd=ROOT, env=environment)
        wait_for(lambda: self.health() is not None, START_SECONDS, "the server to answer")

    def health(self) -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError:
            return None

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


def wait_for(check: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"Waited {seconds:.0f} s in vain for {what}."
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folders = str(tmp_path_factory.mktemp("folders"))
    server = Server(tmp_path_factory.mktemp("studio"), free_port(), ["--no-demo"], folders)
    server.start()
    yield server
    server.stop()


def shapes(path: Path, count: int = 80, seed: int = 0) -> Path:
    """Make a ZIP of drawn circles, squares and triangles: `count` of each, one folder per class."""
    import random

    draw_from = random.Random(seed)
    with zipfile.ZipFile(path, "w") as out:
        for name in ("circle", "square", "triangle"):
            for i in range(count):
                out.writestr(f"{name}/{name}-{i:03}.png", _shape(name, draw_from))
    return path


def _shape(name: str, random: Any) -> bytes:
    import io

    paper = tuple(random.randrange(170, 256) for _ in range(3))
    ink = tuple(random.randrange(0, 140) for _ in range(3))
    image = Image.new("RGB", (64, 64), paper)
    draw = ImageDraw.Draw(image)
    size, x, y = random.randrange(22, 40), random.randrange(4, 20), random.randrange(4, 20)
    if name == "circle":
        draw.ellipse((x, y, x + size, y + size), fill=ink)
    elif name == "square":
        draw.rectangle((x, y, x + size, y + size), fill=ink)
    else:
        draw.polygon([(x, y + size), (x + size / 2, y), (x + size, y + size)], fill=ink)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def dataset(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Upload a small dataset without a browser, and return its name."""
    name, archive = "ready shapes", tmp_path_factory.mktemp("zip") / "shapes.zip"
    content = shapes(archive, 30, seed=1).read_bytes()
    address = f"{server.url}/upload?{urllib.parse.urlencode({'name': name})}"
    request = urllib.request.Request(address, content, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["import"]

    wait_for(lambda: ended(server, "import", name), 120, "the import to finish")
    return name


@pytest.fixture(scope="session")
def dataset_id(server: Server, dataset: str) -> int:
    """Return the dataset's id, which depends on what other tests have imported before."""
    with contextlib.closing(library.connect(server.home / "studio.db", timeout=30)) as database:
        query = "SELECT id FROM dataset WHERE name = ?"
        return int(database.execute(query, (dataset,)).fetchone()[0])


@pytest.fixture(scope="session")
def run(server: Server, dataset: str) -> str:
    """Return the path of a small finished run of two rounds."""
    from vecaf.config import RunConfig
    from vecaf.engine.queue import submit_run
    from vecaf.settings import Settings
    from vecaf.store import Store

    store = Store.open(Settings.from_environment({"VECAF_HOME": str(server.home)}))
    config = RunConfig(dataset=dataset, budget="6", rounds=2, epochs=2)
    run_id = submit_run(store, config, store.owner())
    store.close()
    wait_for(lambda: ended(server, "run", run_id), 240, "the run to finish")
    return f"/runs?run={run_id}"


def ended(server: Server, table: str, which: object) -> bool:
    """Return whether an import (by name) or a run (by id) has finished. Fail if it has failed."""
    column = "name" if table == "import" else "id"
    query = f"SELECT state, error FROM {table} WHERE {column} = ?"
    with contextlib.closing(library.connect(server.home / "studio.db", timeout=30)) as database:
        state, error = database.execute(query, (which,)).fetchone()
    assert state != "failed", error
    return bool(state == "finished")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = launch(driver, FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Open pages in one profile. Requests to other hosts and script errors fail the test."""
    strays: list[str] = []
    errors: list[str] = []
    contexts: list[Any] = []
    asked: list[dict[str, Any]] = []  # the options of each of them

    def watch(request: Any) -> None:
        if not request.url.startswith((server.url, "data:", "blob:")):
            strays.append(request.url)

    def note(error: str, forgive: str) -> None:
        if not (forgive and forgive in error):
            errors.append(error)

    def open_page(
        path: str = "/", *, width: int = 1440, height: int = 900, forgive: str = "", **options: Any
    ) -> Any:
        if not contexts or (options and options != asked[-1]):
            asked.append(options)
            contexts.append(browser.new_context(accept_downloads=True, **options))
            contexts[-1].grant_permissions(["clipboard-read", "clipboard-write"])
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)  # a busy machine is slow to answer
        page.set_viewport_size({"width": width, "height": height})
        page.on("request", watch)
        page.on("pageerror", lambda error: note(str(error), forgive))
        page.goto(server.url + path)
        page.wait_for_selector(".live:not([aria-busy])", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not strays, f"Requests left this host: {strays}"
    assert not errors, f"Errors in the page: {errors}"
