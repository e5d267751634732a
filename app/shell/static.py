"""JavaScript, styles, pictures and fonts, by a fixed list of names.

How scripts are organized
-------------------------
`/static/app/<folder>/<file>` serves `app/<folder>/<file>` for every *.js and *.css file. Gradio has
other paths in `/static`. Scripts are native ES modules: each imports what it needs by a relative
path, as in Node.js,

    import { fetchJson } from "../shell/http.js";

and the import map in the page's head adds the hash of the content to the address, so browsers keep
each file for good.

- `app/<page>/page.js` is a page's entry: it runs on that page alone, after the page was parsed and
  before Gradio starts. It imports the other modules of its folder.
- `app/<page>/early.js`, if there is one, runs while the page is still being read. It asks for data;
  the page may not exist yet.
- `app/<page>/*.css` are styles of that page alone; all pages have those of the shell.
- `app/shell/main.js` runs on every page: navigation bar, theme, live pieces, dialogs.
- `app/shell/gradio.js` documents `window.studio`, the one global object, for Gradio's `js=` and
  `js_on_load`. A page adds functions to it: `expose({ upload })`.
- The font comes from the Gradio package, which carries it as WOFF2 files.
- `dom.js` builds elements, `morph.js` patches HTML from the server, `http.js` asks the server,
  `storage.js` keeps values in the browser, `address.js` reads and changes the address.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from posixpath import join, normpath

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from vecaf.errors import NotFoundError

MEDIA = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
APP = Path(__file__).parents[1]
PREFIX = "/static/app/"
FONT_FOLDER = "templates/frontend/static/fonts/IBMPlexSans"  # of Gradio, which has the OFL fonts
LOGO, PLOTLY = "shell/logo.svg", "plotly/plotly.min.js"
BASE_STYLE = "shell/style.css"  # a page's own styles add to it
MAIN = "shell/main.js"
FIRST_PAINT = "shell/first_paint.js"  # a classic script
IMPORT = re.compile(r'^(?:import|export)\b[^;"]*"(\.{1,2}/[^"]+)"', re.MULTILINE)


@cache
def files() -> dict[str, Path]:
    """Return what /static serves: `<folder>/<file>` → path."""
    fonts = _package("gradio") / FONT_FOLDER
    own = [*APP.glob("*/*.css"), *APP.glob("*/*.js")]
    return {
        **{path.relative_to(APP).as_posix(): path for path in sorted(own)},
        LOGO: APP / LOGO,
        PLOTLY: _package("plotly") / "package_data" / "plotly.min.js",
        **{f"font/{path.name}": path for path in sorted(fonts.glob("*.woff2"))},
    }


def _package(name: str) -> Path:
    """Return the folder of an installed package. Importing it would take half a second."""
    found = find_spec(name)
    assert found is not None and found.origin is not None
    return Path(found.origin).parent


@dataclass(frozen=True)
class FontFace:
    """A file of the font, and the range of weights that it is for."""

    address: str
    weights: str


@cache
def font_faces() -> tuple[FontFace, ...]:
    """Return the faces of the studio's font, for `@font-face`."""
    return (
        FontFace(address("font/IBMPlexSans-Regular.woff2"), "100 500"),
        FontFace(address("font/IBMPlexSans-Bold.woff2"), "501 900"),
    )


def path(name: str) -> str:
    """Return the path of a file's address: what a relative import leads to."""
    return PREFIX + name


@cache
def content(name: str) -> bytes:
    """Return the bytes of a file."""
    return files()[name].read_bytes()


@cache
def address(name: str) -> str:
    """Return the address of a file, which changes with its content."""
    digest = hashlib.sha256(content(name)).hexdigest()[:12]
    return f"{path(name)}?v={digest}"


def styles(folder: str) -> list[str]:
    """Return the names of the styles of a page: those of the shell and of its folder."""
    own = ("shell", folder)
    found = [name for name in files() if name.endswith(".css") and name.split("/")[0] in own]
    return sorted(found, key=lambda name: (name != BASE_STYLE, name.rpartition("/")[2]))


def modules() -> list[str]:
    """Return the names of all ES modules."""
    return [name for name in files() if name.endswith(".js") and name not in (FIRST_PAINT, PLOTLY)]


@cache
def imported(name: str) -> tuple[str, ...]:
    """Return the module and all that it imports, directly and indirectly."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found[module] = None
        folder = module.rpartition("/")[0]
        text = files()[module].read_text()
        waiting += [normpath(join(folder, other)) for other in IMPORT.findall(text)]
    return tuple(found)


def routes() -> APIRouter:
    router = APIRouter()

    @router.get(PREFIX + "{folder}/{name}")
    async def static(folder: str, name: str) -> Response:
        name = f"{folder}/{name}"
        path = files().get(name)
        if path is None:
            raise NotFoundError(f"There is no file {name}.")
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        if name == PLOTLY:
            return FileResponse(path, headers=headers)
        # From memory: a page needs dozens of these small files at once.
        return Response(content(name), media_type=MEDIA[path.suffix], headers=headers)

    return router
