"""Names of the columns of a dataset, for data whose columns are not named as in imagefolder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vecaf.errors import InputError


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns with image files, labels and captions. "" means the usual names."""

    file: str = ""
    label: str = ""
    caption: str = ""

    def standard(self, name: str) -> str:
        """Return the usual name of the column `name`: file_name, label, text, or `name` itself.

        A column that has a usual name, but not the usual content, gets another name.
        """
        for own, usual in self._pairs():
            if own and name == own:
                return usual[0]
        replaced = {name for own, usual in self._pairs() if own for name in usual}
        return f"{name} (not used)" if name in replaced else name

    def check(self, found: Iterable[str], where: str) -> None:
        """Raise InputError if one of the named columns is not among `found`."""
        known = list(found)
        for own, _ in self._pairs():
            if own and own not in known:
                listed = ", ".join(known[:20]) or "none"
                raise InputError(f"{where} has no column '{own}'. Its columns: {listed}.")

    def _pairs(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (
            (self.file, ("file_name",)),
            (self.label, ("label",)),
            (self.caption, ("text", "caption")),
        )


USUAL = Columns()


def choose(option: str, what: str = "the column") -> str:
    """Return the remedy for a column that was not found; `option` is that of the command line."""
    box = "Review the columns before the import"
    return f"To choose {what}, select the checkbox “{box}” on the Data page, or pass {option}."
