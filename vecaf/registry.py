"""A registry of functions: the function's name is its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

from vecaf.errors import InputError

F = TypeVar("F", bound=Callable[..., object])


class Registry(Generic[F]):
    """Functions by name, in order of registration.

    Registering a duplicate name raises ValueError, since it is a programming error. Looking up an
    unknown name raises InputError with the closest matches.

    Parameters
    ----------
    kind
        What the functions are, for error messages, such as "strategy".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, F] = {}

    def register(self, function: F) -> F:
        """Register `function` under its own name. Use it as a decorator."""
        name = function.__name__
        if name in self._entries:
            raise ValueError(f"The {self.kind} '{name}' is registered twice.")
        self._entries[name] = function
        return function

    def __getitem__(self, name: str) -> F:
        try:
            return self._entries[name]
        except KeyError:
            raise InputError(self._unknown(name)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def _unknown(self, name: str) -> str:
        near = get_close_matches(name, self._entries, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(self)}."
        return f"There is no {self.kind} called '{name}'; {hint}"
