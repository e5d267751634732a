"""Fields of a settings dataclass: their help, choices and bounds, and how values are checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import Field, field
from typing import Any

from vecaf.errors import InputError

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Characters that databases reject or drop."""


def option(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    advanced: bool = False,
) -> Any:
    """Return a dataclass field with the metadata that the form and the command line need."""
    return field(
        default=default,
        metadata={
            "help": help,
            "choices": choices,
            "minimum": minimum,
            "maximum": maximum,
            "advanced": advanced,
        },
    )


def option_name(name: str) -> str:
    """Return the command line's name of a setting."""
    return name.replace("_", "-")


Label = Callable[[str], str]
"""Turns a setting's name into what its reader sees: an option's name, or a form's label."""


def check(item: Field[Any], value: Any, label: Label = option_name) -> None:
    """Raise InputError if `value` is not one that the field `item` allows."""
    name, meta = label(item.name), item.metadata
    if isinstance(value, str) and UNSTORABLE.search(value):
        raise InputError(f"{name} contains a character that can't be stored. Remove it.")
    if meta["choices"] and value not in meta["choices"]:
        raise InputError(f"{name} is '{value}'. Choose one of: {', '.join(meta['choices'])}.")
    low, high = meta["minimum"], meta["maximum"]
    if low is not None and not low <= value <= high:
        raise InputError(f"{name} is {value}. It must be between {_exact(low)} and {_exact(high)}.")


def _exact(bound: float) -> str:
    """Return a bound without an exponent or rounding: 2,147,483,647 or 0.00000001."""
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:,.10f}".rstrip("0").rstrip(".")


def typed(item: Field[Any], value: Any, label: Label = option_name) -> Any:
    """Return `value` as the type of the field `item`. Raises InputError if it has another."""
    kind: Any = type(item.default)
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # web forms send whole numbers as floats
    accepted: dict[Any, tuple[type, ...]] = {
        int: (int, str),
        float: (int, float, str),
        str: (str, int, float),
    }
    if isinstance(value, accepted[kind]) and not isinstance(value, bool):
        try:
            return kind(value)
        except ValueError:
            pass  # the same message as for a wrong type, below
    plain = {int: "whole number", float: "number", str: "text"}[kind]
    raise InputError(f"{label(item.name)} is '{value}', which is not a {plain}.")
