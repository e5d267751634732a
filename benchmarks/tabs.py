"""Response times with several tabs open on a running run.

    python -m benchmarks.tabs [--tabs 5] [--seconds 30]

Starts a studio on a temporary home with its demo, queues a run that outlasts the measurement, opens
the run's page in each tab and prints the 50th and 95th percentile of what the pages asked for: the
call of a tick, and the stream by which its answer comes. Needs Playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import sqlalchemy as sa

from vecaf.config import RunConfig
from vecaf.demo import COLOR
from vecaf.jobs.queue import submit_run
from vecaf.settings import Settings
from vecaf.store import Dataset, Round, Store

START_SECONDS = 180.0


def main() -> None:
    parser = argparse.ArgumentParser(description="Response times with several tabs open.")
    parser.add_argument("--tabs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, studio(Path(folder)) as url:
        run_id = long_run(Path(folder))
        times = measure(f"{url}/runs?run={run_id}", options.tabs, options.seconds)
    print(f"{options.tabs} tabs on a running run, {options.seconds:.0f} s")
    print(f"{'request':<28} {'count':>6} {'p50 ms':>8} {'p95 ms':>8} {'max ms':>8}")
    together = [value for values in times.values() for value in values]
    for name, values in [*sorted(times.items()), ("all", together)]:
        p50, p95, most = np.percentile(values, [50, 95, 100])
        print(f"{name:<28} {len(values):>6} {p50:>8.0f} {p95:>8.0f} {most:>8.0f}")


@contextlib.contextmanager
def studio(home: Path) -> Iterator[str]:
    """A studio on a free port, stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "app", "--port", str(port), "--home", str(home)]
    process = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": ""})
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(url), "the studio to answer")
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2):
            return True
    except OSError:
        return False


def long_run(home: Path) -> int:
    """Queue a run on the demo of many short rounds and wait until its second is under way."""
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(home)}))
    try:
        wait_for(lambda: count(store, Dataset) > 0, "the demo's import")
        config = RunConfig(dataset=COLOR, budget="7", rounds=100, epochs=600)
        run_id = submit_run(store, config, store.owner())
        wait_for(lambda: count(store, Round, Round.run_id == run_id) > 0, "the first round")
        return run_id
    finally:
        store.close()


def count(store: Store, kind: type[Dataset | Round], *where: sa.ColumnElement[bool]) -> int:
    with store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(kind).where(*where)) or 0


def wait_for(check: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + START_SECONDS
    while not check():
        if time.monotonic() > end:
            sys.exit(f"Waited {START_SECONDS:.0f} s in vain for {what}.")
        time.sleep(0.5)


def measure(address: str, tabs: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of the page's own requests by path, once every tab has been drawn."""
    from playwright.sync_api import Request, sync_playwright

    times: dict[str, list[float]] = {}
    watching = False

    def note(request: Request) -> None:
        path = urlparse(request.url).path
        if watching and path.startswith("/gradio_api/"):
            times.setdefault(path, []).append(request.timing["responseEnd"])

    with sync_playwright() as driver:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        pages = [browser.new_context().new_page() for _ in range(tabs)]
        for page in pages:
            page.on("requestfinished", note)
            page.goto(address)
            page.wait_for_selector(".charts:not([hidden]) .main-svg", timeout=120_000)
        watching = True
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for page in pages:
                page.wait_for_timeout(100)
        browser.close()
    return times


if __name__ == "__main__":
    main()
