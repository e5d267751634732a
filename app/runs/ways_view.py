"""Other ways in than an upload: public datasets by name, folders of the studio's machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.shell import markup as m
from app.shell.address import link
from vecaf.datasets.folders import OFF, Folder
from vecaf.datasets.public import PUBLIC


def ways(
    roots: Sequence[Path], folder: Folder | None, problem: str | None = None, opened: bool = False
) -> str:
    """Both, folded away until asked for. `folder`: the one that is looked into."""
    is_open = " open" if opened or folder is not None or problem else ""
    return (
        f'<details class="card ways" data-key="ways{is_open}"{is_open}><summary>'
        '<h3>Other ways in</h3> <span class="muted">public datasets by name, folders of this '
        "machine</span></summary>"
        f'<div class="pair">{_public()}{_folders(roots, folder, problem)}</div></details>'
    )


def _public() -> str:
    options = "".join(
        f'<option value="{key}">{m.text(one.title)} · {m.number(one.images)} images, '
        f"{m.number(one.megabytes)} MB</option>"
        for key, one in PUBLIC.items()
    )
    return (
        '<form class="way" data-act="public"><h3>A public dataset</h3>'
        '<p class="muted">Downloaded by torchvision, which checks that it is what it should be. '
        "Needs a network; mind each dataset's own licence.</p>"
        f'<label>Dataset <select name="key">{options}</select></label>'
        '<label>Call it <input type="text" name="name" maxlength="100" autocomplete="off" '
        'placeholder="as above"></label>'
        '<button type="submit">Download</button></form>'
    )


def _folders(roots: Sequence[Path], folder: Folder | None, problem: str | None) -> str:
    head = "<h3>A folder of this machine</h3>"
    if problem:
        head += m.notice(problem)
    if not roots:
        return f'<div class="way">{head}<p class="muted">{m.text(OFF)}</p></div>'
    if folder is None:
        rows = "".join(_row(root, str(root)) for root in roots)
        return f'<div class="way">{head}<ul class="folders">{rows}</ul></div>'
    up = folder.parent
    back = link("/", folder=up) if up is not None else link("/", folder="")
    rows = f'<li><a href="{m.text(back)}" data-go>↑ Up</a></li>'
    rows += "".join(_row(folder.path / name, name) for name in folder.folders)
    zips = "".join(
        f"<li><span>{m.text(name)}</span>{_import(folder.path / name, Path(name).stem)}</li>"
        for name in folder.archives
    )
    more = '<p class="muted">There is more in it than is listed.</p>' if folder.more else ""
    inside = m.plural(folder.images, "image")
    return (
        f'<div class="way">{head}<p><code>{m.text(folder.path)}</code> '
        f'<span class="muted">{inside} directly in it</span></p>'
        f"{_import(folder.path, folder.path.name)}"
        f'<ul class="folders">{rows}{zips}</ul>{more}</div>'
    )


def _row(path: Path, words: str) -> str:
    return f'<li><a href="{m.text(link("/", folder=path))}" data-go>{m.text(words)}/</a></li>'


def _import(path: Path, name: str) -> str:
    return (
        f'<form class="folder-form" data-act="folder" data-folder="{m.text(path)}">'
        f'<input type="text" name="name" value="{m.text(name)}" maxlength="100" '
        f'autocomplete="off" aria-label="Name of the dataset from {m.text(path.name)}">'
        '<button type="submit">Import</button></form>'
    )
