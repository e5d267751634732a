"""What the shell knows of a page: an entry of the list in `app.pages`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page: the folder `app/<folder>/` with its `page.py`.

    Parameters
    ----------
    folder
        Name of the folder. Its styles, `page.js` and `early.js` apply here (see app.shell.static).
    path
        Path of the address, such as "/explore".
    name
        What the navigation bar, the tour and the browser's tab call it.
    tour
        What the tour says about it; the tour leaves out a page without it.
    icon
        The drawing before the name in the navigation bar: the `d` of an SVG path on a grid of
        24 × 24, drawn as a line.
    under
        Path of the page that the navigation bar marks in its place, for a page that is not in the
        bar.
    """

    folder: str
    path: str
    name: str
    tour: str = ""
    icon: str = ""
    under: str = ""
