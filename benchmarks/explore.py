"""Response time of the Explore page: `python -m benchmarks.explore [--sizes 100000 1000000]`

Writes a dataset of this size and its map directly into a temporary data folder (the samples share
a few images), serves it, and opens it in headless Chromium with an empty cache. Measures two times:

- from navigation until the map is drawn, as reported by the page
- from completing a lasso of about 5,000 points until the grid shows them, with the visible
  thumbnails decoded

Prints each time with its limit (for the lasso, at 100,000 samples), and exits with status 1 if a
limit is exceeded.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.chromium import launch
from vecaf.datasets.pool import image_path
from vecaf.files import write_bytes
from vecaf.settings import Settings
from vecaf.store import FINISHED, Dataset, Sample, Store, Task

CLASSES = 10
PICTURES = 64  # distinct images; the samples share them
LASSO = 5_000  # points
DRAWN_SECONDS = {100_000: 2.0, 1_000_000: 8.0}
FILLED_SECONDS, FILLED_MAX_SAMPLES = 0.5, 100_000
TRIES = 3  # each in a new browser; the median is reported
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def synthesize(home: Path, size: int, seed: int = 0) -> None:
    """Write a dataset of `size` samples in ten clusters, with its map, into the studio's tables."""
    rng = np.random.default_rng(seed)
    settings = Settings.from_environment({"VECAF_HOME": str(home)})
    store = Store.open(settings)
    owner = store.owner()
    keys = [_picture(settings, rng) for _ in range(PICTURES)]
    labels = rng.integers(CLASSES, size=size)
    with store.write() as session:
        dataset = Dataset(
            owner_id=owner,
            name=f"{size} points",
            classes=[f"class {number}" for number in range(CLASSES)],
            content_hash=hashlib.sha256(str(size).encode()).hexdigest(),
            source="benchmarks.explore",
            report={},
        )
        session.add(dataset)
        session.flush()
        task = Task(owner_id=owner, dataset_id=dataset.id, kind="map", params={}, state=FINISHED)
        session.add(task)
        session.flush()
        for start in range(0, size, 100_000):
            rows = range(start, min(size, start + 100_000))
            session.execute(sa.insert(Sample), [
                {
                    "dataset_id": dataset.id, "file_name": f"train/{row:08}.png",
                    "sha256": keys[row % PICTURES], "extension": ".png", "width": 64, "height": 64,
                    "split": "test" if row % 10 == 0 else "train", "label": int(labels[row]),
                    "caption": None, "excluded": False,
                }
                for row in rows
            ])  # fmt: skip
        folder = settings.tasks / str(task.id)
    folder.mkdir(parents=True)
    angle = 2 * np.pi * labels / CLASSES
    middle = 6 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = (middle + rng.normal(size=(size, 2))).astype(np.float32)
    np.save(folder / "umap.npy", points)
    store.close()


def _picture(settings: Settings, rng: np.random.Generator) -> str:
    pixels = rng.integers(256, size=(8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC).save(buffer, "PNG")
    key = hashlib.sha256(buffer.getvalue()).hexdigest()
    write_bytes(image_path(settings.images, key, ".png"), buffer.getvalue(), durable=False)
    return key


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """Serve the studio on `home` without a worker and the demo; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "app", "--port", str(port), "--home", str(home)]
    options = ["--no-worker", "--no-demo"]
    process = subprocess.Popen([*command, *options], env={**os.environ, "DATABASE_URL": ""})
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/healthz", timeout=2).close()
                break
            except OSError:
                time.sleep(0.25)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def measure(address: str) -> tuple[float, float, int]:
    """Return the seconds until the map is drawn and the grid is filled, and the lasso's images."""
    with sync_playwright() as driver:
        browser = launch(driver, FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}/explore?dataset=1", wait_until="commit")
        page.wait_for_function(attribute("mapDrawn"), timeout=60_000)
        drawn = read_mark(page, "mapDrawn") / 1000
        page.wait_for_function(attribute("gridFilled"), timeout=60_000)
        page.wait_for_timeout(3000)  # like a user who looks at the page first
        filled, caught = lasso(page)
        browser.close()
    return drawn, filled, caught


def lasso(page: Page) -> tuple[float, int]:
    """Draw a lasso around about LASSO points of the first cluster; returns (seconds, images)."""
    no_tour = page.get_by_role("button", name="No, thanks")
    if no_tour.count():
        no_tour.click()
    page.locator(".x-tool[data-tool=lasso]").click()
    box = page.locator(".x-over").bounding_box()
    assert box is not None
    x, y, radius = page.evaluate(f"""async () => {{
        const {{ map }} = await import("/static/app/explore/workbench.js");
        const {{ n }} = map.state;
        const [cx, cy] = map.toPixelsOf(6, 0);
        const away = [];
        for (let i = 0; i < n; i++) {{
            const [x, y] = map.toPixels(i);
            away.push(Math.hypot(x - cx, y - cy));
        }}
        away.sort((a, b) => a - b);
        return [cx, cy, away[{LASSO}]].map((value) => value / map.ratio);
    }}""")
    before = page.evaluate("document.documentElement.dataset.gridFilled")
    for step in range(41):
        angle = 2 * np.pi * step / 40
        page.mouse.move(
            box["x"] + x + radius * np.cos(angle), box["y"] + y + radius * np.sin(angle)
        )
        if step == 0:
            page.mouse.down()
    page.mouse.up()
    page.wait_for_function(
        f"document.documentElement.dataset.lassoAt && {attribute('gridFilled')} && "
        f"document.documentElement.dataset.gridFilled !== '{before}'",
        timeout=60_000,
    )
    filled = (read_mark(page, "gridFilled") - read_mark(page, "lassoAt")) / 1000
    return filled, int(read_mark(page, "gridCount"))


def attribute(name: str) -> str:
    """Return a JavaScript expression for a mark that the page sets on its root element."""
    return f"document.documentElement.dataset.{name}"


def read_mark(page: Page, name: str) -> float:
    """Read the value of a mark."""
    value: Any = page.evaluate(attribute(name))
    return float(value)


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(DRAWN_SECONDS))
    missed = False
    for size in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            synthesize(home, size)
            with serving(home) as address:
                tries = [measure(address) for _ in range(TRIES)]
        drawn, filled = (float(np.median([one[part] for one in tries])) for part in (0, 1))
        limit = DRAWN_SECONDS.get(size, max(DRAWN_SECONDS.values()))
        _print(f"{size:,} points drawn (first visit {tries[0][0]:.2f} s)", drawn, limit)
        _print(f"lasso of {tries[0][2]:,} fills the grid", filled, FILLED_SECONDS)
        missed |= drawn > limit or (size <= FILLED_MAX_SAMPLES and filled > FILLED_SECONDS)
    sys.exit(1 if missed else 0)


def _print(what: str, seconds: float, limit: float) -> None:
    share = seconds / limit
    print(f"{what:<48} {seconds:6.2f} s, limit {limit:g} s, {share:.0%} of the limit", flush=True)


if __name__ == "__main__":
    main()
