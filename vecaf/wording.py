"""Words that messages, cards and pages share."""

from __future__ import annotations


def plural(count: int, one: str, many: str = "") -> str:
    """'1 image', '1,200 images'; `many` where an s doesn't make the plural of `one`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def percent(share: float | None) -> str:
    """0.6789 → '67.9%'; 'not measured' for None."""
    return "not measured" if share is None else f"{share:.1%}"
