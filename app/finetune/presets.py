"""The presets of the Finetune page as buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.finetune import form
from app.shell import markup as m
from vecaf.runs.presets import PRESETS


def presets(values: Sequence[Any]) -> str:
    """The presets; one is pressed where the form's `values` are its settings."""
    given = dict(zip((item.name for item in form.FIELDS), values, strict=True))
    buttons = "".join(
        f'<button type="button" class="preset" data-act="preset" data-name="{item.name}" '
        f'aria-pressed="{str(_holds(given, item.values)).lower()}"><b>{m.text(item.title)}</b>'
        f"<span>{m.text(item.reason)}</span></button>"
        for item in PRESETS
    )
    return f'<div class="presets" role="group" aria-label="Presets">{buttons}</div>'


def _holds(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(given.get(name) == value for name, value in wanted.items())
