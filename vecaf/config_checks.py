"""Settings of a run that can't be combined, and settings with earlier names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vecaf.errors import InputError

RENAMED = {"picks": "training_images", "text_pull": "caption_weight"}  # earlier name → name


def check_combinations(settings: Mapping[str, Any], label: Callable[[str], str]) -> None:
    """Raise InputError for the first combination of settings that can't work.

    `label` turns a setting's name into what the reader sees.
    """
    for name, value, default in (
        ("training_images", "replace", "keep"), ("schedule", "run", "round"),
    ):  # fmt: skip
        if settings[name] == value and settings["track"] != "labels-known":
            raise InputError(
                f"{label(name)} '{value}' needs the labels-known track, where each round "
                f"continues from the previous one. Choose {label('track')} 'labels-known' or "
                f"{label(name)} '{default}'."
            )
    if settings["adapt_to"] and settings["mode"] != "head-only":
        raise InputError(
            "Adapting to images of a target domain works only in head-only mode. Choose "
            f"{label('mode')} 'head-only', or no target dataset."
        )
    if settings["views"] != "plain" and settings["mode"] != "head-only":
        raise InputError(
            f"{label('views')} '{settings['views']}' needs {label('mode')} 'head-only', which "
            f"trains on fixed features. Choose {label('mode')} 'head-only' or {label('views')} "
            "'plain'."
        )
    if settings["patience"] and settings["schedule"] == "run":
        raise InputError(
            f"Early stopping does not work with {label('schedule')} 'run', which covers the "
            f"whole run. Choose {label('schedule')} 'round' or {label('patience')} 0."
        )


def with_current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Rename settings that receipts, browsers, or clients have from an earlier version."""
    return {RENAMED.get(name, name): value for name, value in values.items()}
