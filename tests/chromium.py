"""Debian's Chromium for everything here that looks at pages."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

# The shell draws the same pages without the browser's own window, which takes a third of the
# processor time of the whole.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")


def launch(driver: Playwright, flags: Sequence[str] = ("--no-sandbox",)) -> Browser:
    """A browser without a window; raises RuntimeError where none is installed."""
    path = next((found for found in map(shutil.which, NAMES) if found), None)
    if path is None:
        raise RuntimeError(f"No Chromium is installed: apt-get install {NAMES[0]}.")
    return driver.chromium.launch(executable_path=path, args=list(flags))
