"""Response times with several tabs open on a run in progress.

    python -m benchmarks.tabs [--tabs 5] [--seconds 30]

Starts a studio with the demo on a temporary data folder, queues a run that takes longer than the
measurement, and opens the run's page in each tab. Prints percentiles of the time from the request
of a page update until its result arrives in the event stream. Needs Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from tests.chromium import launch
from vecaf.config import RunConfig
from vecaf.engine.queue import submit_run
from vecaf.runs.demo_run import COLOR
from vecaf.settings import Settings
from vecaf.store import Dataset, Round, Run, Store

START_SECONDS = 180.0
TICK_SECONDS = 2.0  # update interval of the run's page
WATCH = """
  window.answered = []; window.called = 0;
  const begun = new Map(), ended = new Map();
  const settle = (id) => {
    if (begun.has(id) && ended.has(id)) answered.push(ended.get(id) - begun.get(id));
  };
  const hear = (text) => {
    if (text.includes('"process_completed"')) {
      const id = /"event_id": ?"([^"]+)"/.exec(text)?.[1];
      if (id) { ended.set(id, performance.now()); settle(id); }
    }
  };
  const read = async (body) => {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let kept = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (kept + value).split("\\n\\n");
      kept = parts.pop();
      parts.forEach(hear);
    }
  };
  const plain = window.fetch;
  window.fetch = async (...given) => {
    const url = String(given[0]?.url ?? given[0]), start = performance.now();
    const answer = await plain(...given);
    if (url.includes("/queue/join")) {
      called++;
      answer.clone().json().then(({ event_id: id }) => { begun.set(id, start); settle(id); });
    } else if (url.includes("/queue/data") && answer.body) {
      const [one, other] = answer.body.tee();
      read(other);
      return new Response(one, answer);
    }
    return answer;
  };
  const Source = window.EventSource;
  window.EventSource = class extends Source {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", (event) => hear(event.data));
    }
  };
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Response times with several tabs open.")
    parser.add_argument("--tabs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, studio(Path(folder)) as (url, _):
        run_id = long_run(Path(folder))
        times = measure(f"{url}/runs?run={run_id}", options.tabs, options.seconds)
    p50, p95, most = np.percentile(times, [50, 95, 100])
    print(
        f"{options.tabs} tabs on a run in progress, {options.seconds:.0f} s: {len(times)} responses"
    )
    print(f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, at most {most:.0f} ms")


@contextlib.contextmanager
def studio(home: Path) -> Iterator[tuple[str, int]]:
    """Start a studio on a free port; yields its address and process id, and stops it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "app", "--port", str(port), "--home", str(home)]
    process = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": ""})
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(url), "the studio to answer")
        yield url, process.pid
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
    """Queue a run of many short rounds on the demo and wait until its first round has finished."""
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(home)}))
    try:
        wait_for(lambda: count(store, Dataset) > 0, "the demo's import")
        config = RunConfig(dataset=COLOR, budget="7", rounds=100, epochs=600)
        run_id = submit_run(store, config, store.owner())
        wait_for(lambda: count(store, Round, Round.run_id == run_id) > 0, "the first round")
        return run_id
    finally:
        store.close()


def count(store: Store, kind: type[Dataset | Round | Run], *where: sa.ColumnElement[bool]) -> int:
    with store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(kind).where(*where)) or 0


def wait_for(check: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + START_SECONDS
    while not check():
        if time.monotonic() > end:
            sys.exit(f"Timed out after {START_SECONDS:.0f} s waiting for {what}.")
        time.sleep(0.5)


def measure(address: str, tabs: int, seconds: float) -> list[float]:
    """Return the milliseconds from each request to its response, in all tabs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = launch(driver)
        pages = [browser.new_context().new_page() for _ in range(tabs)]
        for page in pages:
            page.add_init_script(WATCH)
            page.goto(address)
            page.wait_for_selector(".charts:not([hidden]) .main-svg", timeout=120_000)
        for page in pages:
            page.evaluate("answered.length = 0")
        pages[0].wait_for_timeout(1000 * seconds)
        times = [float(t) for page in pages for t in page.evaluate("answered")]
        calls = sum(page.evaluate("called") for page in pages)
        browser.close()
    if len(times) < 0.8 * tabs * seconds / TICK_SECONDS:
        sys.exit(
            f"Only {len(times)} responses to {calls} requests were observed, too few to measure."
        )
    return times


if __name__ == "__main__":
    main()
