"""Sources of datasets other than an upload, as HTML: public datasets, folders on the server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vecaf.datasets.folders import OFF, Folder
from vecaf.datasets.public import PUBLIC

from ..shell.templates import macros


def sources(
    roots: Sequence[Path], folder: Folder | None, problem: str | None = None, opened: bool = False
) -> str:
    """Return both sources, collapsed until the user opens them or looks into a `folder`."""
    opened = opened or folder is not None or bool(problem)
    page = macros("data", "sources.html")
    return str(page.sources(PUBLIC, roots, folder, problem, OFF, opened))
