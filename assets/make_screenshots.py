"""Make the README's pictures from a running studio: python assets/make_screenshots.py [ADDRESS].

The studio should hold a finished run on more than one dataset; the newest run is shown.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent / "screenshots"
WIDTH, HEIGHT = 1280, 820
MOST_BYTES = 300_000


def main(address: str) -> None:
    """Write data.png and run.png; raises RuntimeError where no studio answers."""
    try:
        urlopen(f"{address}/healthz", timeout=5).close()
    except OSError as error:
        raise RuntimeError(f"No studio answers at {address}; start one with ./run.") from error
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(f"{address}/")
        page.wait_for_selector(".dataset img")
        save(page, "data")
        page.goto(f"{address}/runs")
        rows = page.locator("a.run-row", has_text=re.compile("finished"))
        rows.first.click()
        page.wait_for_selector(".charts .main-svg")
        page.wait_for_selector(".picks img")
        save(page, "run")
        browser.close()


def save(page: Page, name: str) -> None:
    """A picture of what a window shows, in few enough colours to stay small."""
    page.wait_for_timeout(1500)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    size = path.stat().st_size
    assert size < MOST_BYTES, f"{path} has {size} bytes"
    print(f"{path}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7860")
