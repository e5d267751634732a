"""The studio's own scripts and styles, and Plotly's, by a fixed list of names."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from vecaf.errors import NotFoundError

APP = Path(__file__).parents[1]
LOGO = APP.parent / "assets" / "logo.svg"
FIRST = ("style.css", "studio.js")  # a page's own styles and scripts add to these


@cache
def files() -> dict[str, Path]:
    """What /static serves, by name."""
    plotly = find_spec("plotly")  # found, not imported: importing it costs half a second
    assert plotly is not None and plotly.origin is not None
    return {
        **_named("*.css"),
        "logo.svg": LOGO,
        "plotly.min.js": Path(plotly.origin).parent / "package_data" / "plotly.min.js",
        **_named("*.js"),
    }


def _named(pattern: str) -> dict[str, Path]:
    """The files of all pages that match, by name; those that others build on come first."""
    found = sorted(APP.glob(f"*/{pattern}"), key=lambda path: (path.name not in FIRST, path.name))
    return {path.name: path for path in found}


@cache
def address(name: str) -> str:
    """Where a page finds the file; the address changes with its content."""
    digest = hashlib.sha256(files()[name].read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def head() -> str:
    """What every page's head holds: the look, the icon, the script that the components share."""
    styles = [name for name in files() if name.endswith(".css")]
    return (
        "".join(f'<link rel="stylesheet" href="{address(name)}">' for name in styles)
        + f'<link rel="icon" type="image/svg+xml" href="{address("logo.svg")}">'
        f'<meta name="studio-logo" content="{address("logo.svg")}">'
        f'<meta name="studio-plotly" content="{address("plotly.min.js")}">'
        '<meta name="color-scheme" content="light dark">'
        + "".join(
            f'<script src="{address(name)}"></script>'
            for name in files()
            if name.endswith(".js") and name != "plotly.min.js"
        )
    )


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/static/{name}")
    def static(name: str) -> FileResponse:
        path = files().get(name)
        if path is None:
            raise NotFoundError(f"There is no file {name}.")
        return FileResponse(path, headers={"Cache-Control": "public, max-age=31536000, immutable"})

    return router
