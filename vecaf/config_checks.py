"""Settings of a run that can't be combined, and settings with earlier names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vecaf.errors import InputError

RENAMED = {"picks": "training_images", "text_pull": "caption_weight"}  # earlier name → name


def check_combinations(settings: Mapping[str, Any]) -> None:
    """Raise InputError for the first combination of settings that can't work."""
    for name, value, default in (
        ("training_images", "replace", "keep"), ("schedule", "run", "round"),
    ):  # fmt: skip
        if settings[name] == value and settings["track"] != "labels-known":
            raise InputError(
                f"{name} '{value}' needs the labels-known track, where each round continues "
                f"from the previous one. Choose track 'labels-known' or {name} "
                f"'{default}'."
            )
    if settings["adapt_to"] and settings["mode"] != "head-only":
        raise InputError(
            "Adapting to images of a target domain works only in head-only mode. Choose mode "
            "'head-only', or no target dataset."
        )
    if settings["views"] != "plain" and settings["mode"] != "head-only":
        raise InputError(
            f"views '{settings['views']}' needs mode 'head-only', which trains on fixed features. "
            "Choose mode 'head-only' or views 'plain'."
        )
    if settings["patience"] and settings["schedule"] == "run":
        raise InputError(
            "Early stopping (patience) does not work with schedule 'run', which covers the "
            "whole run. Choose schedule 'round' or patience 0."
        )


def with_current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Rename settings that receipts, browsers, or clients have from an earlier version."""
    return {RENAMED.get(name, name): value for name, value in values.items()}
