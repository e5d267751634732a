"""Jinja2 templates: the `page.html` beside a page's code holds its HTML as macros.

`macros("select").selection(...)` calls the macro `selection` of `app/select/page.html`. Values are
escaped unless they are `Markup`, which is what macros return.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from vecaf.store import CANCELED, FAILED, FINISHED, QUEUED, RUNNING
from vecaf.wording import SPLITS, plural

from . import formatting
from .address import link
from .class_colors import class_color
from .media import image_url, thumb_url

APP = Path(__file__).parents[1]
STATE_SYMBOLS = {QUEUED: "○", RUNNING: "◐", FINISHED: "●", FAILED: "✕", CANCELED: "◌"}


def macros(page: str, file: str = "page.html") -> Any:
    """Return the macros of `app/<page>/<file>` as attributes; each returns `Markup`."""
    return environment().get_template(f"{page}/{file}").module


@cache
def environment() -> Environment:
    """Return the environment of all templates. A missing value raises instead of vanishing."""
    made = Environment(
        loader=FileSystemLoader(APP),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=formatting.number,
        percent=formatting.percent,
        plural=plural,
        duration=formatting.duration,
        size=formatting.size,
    )
    made.globals.update(
        link=link,
        thumb_url=thumb_url,
        image_url=image_url,
        class_color=class_color,
        STATE_SYMBOLS=STATE_SYMBOLS,
        SPLITS=SPLITS,
    )
    return made
