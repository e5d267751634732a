"""Checks of strategies' options: what cannot be used gets a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecaf.errors import InputError

MOST_POWER = 10.0


def parse_options(text: str) -> dict[str, Any]:
    """'steps=30, gamma=auto' as {"steps": 30, "gamma": "auto"}: whole numbers, numbers, words.

    Raises InputError for a part that is no name=value, and for a name that comes twice.
    """
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name.isidentifier() and equals and value):
            raise InputError(
                f"'{part}' is no option of a strategy; write name=value, parted by commas, such as "
                "gamma=0, steps=30."
            )
        if name in found:
            raise InputError(f"The strategy's option '{name}' is given twice.")
        found[name] = _value(value)
    return found


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def check_whole(name: str, value: object, least: int) -> int:
    """`value` as a whole number of at least `least`, or InputError."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} is {value!r}; use a whole number, at least {least}.")
    return int(value)


def check_share(name: str, value: object, *, below_one: bool = False) -> float:
    """`value` as a share from 0 to 1 (`below_one`: 1 excluded), or InputError."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1 or (below_one and value == 1):  # type: ignore[operator]
        bound = "from 0 to below 1" if below_one else "from 0 to 1"
        raise InputError(f"{name} is {value!r}; use a number {bound}.")
    return float(value)  # type: ignore[arg-type]


def check_power(name: str, value: object) -> float:
    """`value` as a float from −10 to 10, or InputError: beyond, powers of losses overflow."""
    number = check_number(name, value)
    if abs(number) > MOST_POWER:
        limit = f"-{MOST_POWER:g} to {MOST_POWER:g}"
        raise InputError(f"{name} is {value!r}; use a number from {limit}.")
    return number


def check_number(
    name: str, value: object, *, above: float | None = None, usual: float | None = None
) -> float:
    """`value` as a finite float above `above`, or InputError."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or (above is not None and value <= above):  # type: ignore[call-overload, operator]
        bound = "a number" if above is None else f"a number above {above:g}"
        hint = "" if usual is None else f" ({usual:g} is usual)"
        raise InputError(f"{name} is {value!r}; use {bound}{hint}.")
    return float(value)  # type: ignore[arg-type]
