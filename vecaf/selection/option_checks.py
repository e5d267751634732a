"""Checks of the options of strategies."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecaf.errors import InputError

MOST_POWER = 10.0
RENAMED = {"neighbours": "neighbors", "witnesses": "references"}


def parse_options(text: str) -> dict[str, Any]:
    """Parse options such as 'steps=30, gamma=auto' into {"steps": 30, "gamma": "auto"}.

    Values become whole numbers, numbers or strings. Options that were renamed are read under their
    old names, too, because stored runs contain them.

    Raises
    ------
    InputError
        If a part isn't name=value, or a name occurs twice.
    """
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name.isidentifier() and equals and value):
            raise InputError(
                f"'{part}' is not an option. Write name=value, separated by commas, such as "
                "gamma=0, steps=30."
            )
        name = RENAMED.get(name, name)
        if name in found:
            raise InputError(f"The strategy's option '{name}' occurs twice.")
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
    """Return `value` as a whole number of at least `least`, or raise InputError."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} is {value!r}. Use a whole number, at least {least}.")
    return int(value)


def check_share(name: str, value: object, *, below_one: bool = False) -> float:
    """Return `value` as a number from 0 to 1 (`below_one`: less than 1), or raise InputError."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1 or (below_one and value == 1):  # type: ignore[operator]
        bound = "from 0 to below 1" if below_one else "from 0 to 1"
        raise InputError(f"{name} is {value!r}. Use a number {bound}.")
    return float(value)  # type: ignore[arg-type]


def check_power(name: str, value: object) -> float:
    """Return `value` as an exponent from −10 to 10, or raise InputError: more would overflow."""
    number = check_number(name, value)
    if abs(number) > MOST_POWER:
        limit = f"-{MOST_POWER:g} to {MOST_POWER:g}"
        raise InputError(f"{name} is {value!r}. Use a number from {limit}.")
    return number


def check_number(
    name: str, value: object, *, above: float | None = None, usual: float | None = None
) -> float:
    """Return `value` as a finite number above `above`, or raise InputError."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or (above is not None and value <= above):  # type: ignore[call-overload, operator]
        bound = "a number" if above is None else f"a number above {above:g}"
        hint = "" if usual is None else f" (the default is {usual:g})"
        raise InputError(f"{name} is {value!r}. Use {bound}{hint}.")
    return float(value)  # type: ignore[arg-type]
