"""What was changed of a dataset, by whom and when: as sentences, a list, one image's story."""

from __future__ import annotations

from collections.abc import Sequence

from app.shell import markup as m
from vecaf.store import Sample
from vecaf.store.gallery import Change, ImageChange

_LONG = 80  # characters of a caption in a sentence


def changed(change: Change) -> str:
    """An edit as a sentence; plain text, to be escaped by whoever shows it."""
    count = m.plural(change.images, "image")
    value = None if change.value is None else _short(change.value)
    if change.kind == "class":
        if change.previous is None:
            return f"Class “{value}” added."
        return f"Class “{_short(change.previous)}” renamed to “{value}”."
    if change.kind == "excluded":
        return f"{count} {'excluded from' if value == 'yes' else 'put back into'} the pool."
    if change.values != 1:
        return f"{change.kind.capitalize()}s of {count} changed."
    was = f", was “{_short(change.previous)}”" if change.previous else ""
    if change.kind == "label":
        return f"{count} labelled “{value}”{was}." if value else f"Label taken from {count}{was}."
    if value:
        return f"Caption of {count} set to “{value}”{was}."
    return f"Caption taken from {count}{was}."


def timeline(changes: Sequence[Change]) -> str:
    """The dataset's history, newest first; each change can be taken back."""
    if not changes:
        return m.empty("Nothing has been changed", "Labels and captions are as they were imported.")
    rows = "".join(
        f'<li data-key="edit-{one.id}"{" class=undone" if one.undone else ""}>'
        f'<span class="grow">{m.text(changed(one))}</span>'
        f'<span class="muted">{m.text(one.by)} · {m.when(one.at)}</span>{_undo(one)}</li>'
        for one in changes
    )
    return (
        f'<section class="card"><h3>What was changed</h3><ol class="changes">{rows}</ol></section>'
    )


def _undo(change: Change) -> str:
    if change.undone:
        return '<span class="muted">undone</span>'
    return (
        f'<button type="button" class="quiet" data-act="undo" data-edit="{change.id}" '
        f'aria-label="Undo: {m.text(changed(change))}">Undo</button>'
    )


def story(sample: Sample, history: Sequence[ImageChange]) -> str:
    """What happened to one image's label, caption and place in the pool."""
    rows = "".join(
        f'<li><span class="grow">{m.text(_step(one))}</span>'
        f'<span class="muted">{m.text(one.by)} · {m.when(one.at)}</span></li>'
        for one in history
    )
    imported = "Imported; nothing has been changed since." if not rows else "Imported."
    return (
        f'<h3>History</h3><ol class="changes">{rows}<li><span class="muted">{imported}</span></li>'
        "</ol>"
    )


def _step(one: ImageChange) -> str:
    if one.kind == "excluded":
        return "Excluded from the pool." if one.value == "yes" else "Put back into the pool."
    now = f"“{_short(one.value)}”" if one.value else "none"
    was = f"“{_short(one.previous)}”" if one.previous else "none"
    return f"{one.kind.capitalize()}: {was} → {now}"


def _short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
