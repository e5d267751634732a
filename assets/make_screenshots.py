"""Take the README's screenshots of a running studio: python -m assets.make_screenshots [ADDRESS].

The studio needs the demo with a map, a finished run with its random baseline, a selection on the
Select page, and a preview on the Shift page. The newest ones are shown. Writes the screenshots and
`walk.gif`, an animation of all pages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.chromium import launch

FOLDER = Path(__file__).parent / "screenshots"
WIDTH, HEIGHT = 1280, 820
FRAME_SIZE = (960, 615)  # of the animation, in pixels
FRAME_SECONDS = 2.2
MAX_BYTES, MAX_ANIMATION_BYTES = 400_000, 3_000_000
WORDS = "a black and white line drawing of"


@dataclass(frozen=True)
class Stop:
    """A page of the animation.

    Attributes
    ----------
    name
    path
    ready
        The selector to wait for.
    act
        What to do on the page before the screenshot.
    kept
        Whether the screenshot is also saved as a PNG.
    """

    name: str
    path: str
    ready: str
    act: Callable[[Page], object] = lambda page: None
    kept: bool = False


def lasso(page: Page) -> None:
    """Draw a lasso in the center of the map."""
    page.get_by_role("button", name="Lasso (L)").click()
    box = page.locator(".x-canvas").bounding_box()
    assert box is not None
    corners = ((0.45, 0.3), (0.75, 0.35), (0.7, 0.7), (0.4, 0.65), (0.45, 0.3))
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def search(page: Page) -> None:
    """Search images by text, without the lasso of the stop before."""
    page.locator(".x-chip", has_text="Map selection").first.click()
    page.get_by_label("Search images by text").fill("a clock")
    page.keyboard.press("Enter")
    page.locator(".x-chip", has_text="Search").first.wait_for(timeout=60_000)


def newest_run(page: Page) -> None:
    """Open the newest finished vecaf run."""
    page.locator("a.run-row", has_text=re.compile("vecaf.*finished", re.S)).first.click()
    page.wait_for_selector(".charts .main-svg")


def scroll(pixels: int) -> Callable[[Page], object]:
    """Return an action that scrolls down."""
    return lambda page: page.mouse.wheel(0, pixels)


WALK = (
    Stop("data", "/", ".dataset img"),
    Stop("explore", "/explore?dataset=1", ".x-canvas canvas", kept=True),
    Stop("lasso", "/explore?dataset=1", ".x-canvas canvas", lasso),
    Stop("search", "/explore?dataset=1", ".x-canvas canvas", search),
    Stop("select", "/select?dataset=1&task={selection}", ".gallery img", kept=True),
    Stop("selected", "/select?dataset=1&task={selection}", ".gallery img", scroll(700)),
    Stop("finetune", "/finetune?dataset=1", ".summary .facts"),
    Stop("run", "/runs", "a.run-row", newest_run, kept=True),
    Stop("verdict", "/runs", "a.run-row", lambda page: (newest_run(page), scroll(640)(page))),
    Stop("shift", f"/shift?dataset=1&words={WORDS.replace(' ', '+')}", ".shift-near img"),
    Stop(
        "predict",
        "/predict",
        ".test-images a",
        lambda page: page.locator(".test-images a").nth(3).click(),
    ),
)


def main(address: str, selection: int) -> None:
    """Write the screenshots.

    Raises
    ------
    RuntimeError
        If no studio answers at the address.
    """
    try:
        urlopen(f"{address}/healthz", timeout=5).close()
    except OSError as error:
        raise RuntimeError(f"No studio answers at {address}. Start one with ./run.") from error
    FOLDER.mkdir(exist_ok=True)
    frames = []
    with sync_playwright() as driver:
        browser = launch(driver)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.add_init_script("localStorage.setItem('studio-tour', 'seen')")
        for stop in WALK:
            page.goto(address + stop.path.format(selection=selection))
            page.wait_for_selector(stop.ready, timeout=60_000)
            page.wait_for_timeout(2500)
            stop.act(page)
            page.wait_for_timeout(2500)
            frames.append(shot(page, stop))
        browser.close()
    write_animation(frames)


def shot(page: Page, stop: Stop) -> Image.Image:
    """Take a screenshot, save it if the README uses it, and return a frame of the animation."""
    path = FOLDER / f"{stop.name}.png"
    page.screenshot(path=path)
    with Image.open(path) as image:
        picture = image.convert("RGB")
    path.unlink()
    if stop.kept:
        picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        check_size(path, MAX_BYTES)
    return picture.resize(FRAME_SIZE, Image.Resampling.LANCZOS)


def write_animation(frames: list[Image.Image]) -> None:
    """Write walk.gif."""
    path = FOLDER / "walk.gif"
    small = [frame.quantize(128, dither=Image.Dither.NONE) for frame in frames]
    small[0].save(
        path,
        save_all=True,
        append_images=small[1:],
        duration=int(1000 * FRAME_SECONDS),
        loop=0,
        optimize=True,
    )
    check_size(path, MAX_ANIMATION_BYTES)


def check_size(path: Path, most: int) -> None:
    """Print the size of a file, which must be below `most` bytes."""
    size = path.stat().st_size
    assert size < most, f"{path} has {size} bytes"
    print(f"{path}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7860",
        int(sys.argv[2]) if len(sys.argv) > 2 else 1,
    )
