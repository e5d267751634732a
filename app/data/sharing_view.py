"""With whom a dataset is shared, and that it is somebody else's, as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from app.shell import markup as m


def sharing(names: Sequence[str]) -> str:
    """Who may look at the dataset, each to be taken off, and a field for another one."""
    rows = "".join(
        f'<li data-key="share-{m.text(name)}"><span class="grow">{m.text(name)}</span>'
        f'<button type="button" class="quiet" data-act="unshare" data-name="{m.text(name)}" '
        f'aria-label="No longer share with {m.text(name)}">Remove</button></li>'
        for name in names
    )
    listed = (
        f'<ul class="share-list">{rows}</ul>'
        if rows
        else '<p class="muted">Nobody else sees it.</p>'
    )
    return (
        '<section class="card"><h3>Sharing</h3><p class="muted">Who is named here sees the '
        "dataset, its selections and its runs, and may take copies. Only you can change them.</p>"
        f'{listed}<form class="add-class" data-act="share"><input type="text" name="name" '
        f'data-key="share-{len(names)}" maxlength="100" required autocomplete="off" '
        'placeholder="A user’s name" aria-label="Name of the user to share with">'
        '<button type="submit">Share</button></form></section>'
    )


def whose(owner: str) -> str:
    """The sentence above a dataset that another user shares."""
    name = m.text(owner)
    return (
        f'<p class="notice" role="note">Shared with you by <b>{name}</b>: look at it and its runs, '
        f"and take copies. Only {name} can change it.</p>"
    )
