"""Launch Debian's Chromium, for tests and benchmarks that open pages."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

# The headless shell renders the same pages without the browser's window, which saves a third of
# the processor time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")


def launch(driver: Playwright, flags: Sequence[str] = ("--no-sandbox",)) -> Browser:
    """Launch a headless browser. Raises RuntimeError if none is installed."""
    path = next((found for found in map(shutil.which, NAMES) if found), None)
    if path is None:
        raise RuntimeError(f"No Chromium is installed: apt-get install {NAMES[0]}.")
    return driver.chromium.launch(executable_path=path, args=list(flags))
