"""The studio's own scripts and styles, and Plotly's, by a fixed list of names."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from vecaf.errors import NotFoundError

HERE = Path(__file__).parent
ASSETS = HERE.parent / "assets"


@cache
def files() -> dict[str, Path]:
    """What /static serves, by name."""
    plotly = find_spec("plotly")  # found, not imported: importing it costs half a second
    assert plotly is not None and plotly.origin is not None
    return {
        "style.css": ASSETS / "style.css",  # first: a page's own styles add to it
        **{path.name: path for path in sorted(ASSETS.glob("*.css"))},
        "logo.svg": ASSETS / "logo.svg",
        "plotly.min.js": Path(plotly.origin).parent / "package_data" / "plotly.min.js",
        "studio.js": HERE / "components" / "studio.js",  # first: the others add to it
        **{path.name: path for path in sorted((HERE / "components").glob("*.js"))},
    }


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
