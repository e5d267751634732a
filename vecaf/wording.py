"""Words and numbers for messages, model cards and pages."""

from __future__ import annotations

SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Names of the splits, by the value that the store uses."""


def installation(extra: str) -> str:
    """Return the remedy for missing packages of an extra: 'In the repository, run: pip …'."""
    return f"In the repository, run: pip install '.[{extra}]'"


def plural(count: int, one: str, many: str = "") -> str:
    """Return '1 image' or '1,200 images'. `many` is the plural if it is not `one` + 's'."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def points(difference: float) -> str:
    """Return a difference of fractions in points, with a minus sign: −0.023 → '−2.3'."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def percent(share: float | None) -> str:
    """Return a fraction as a percentage: 0.6789 → '67.9%', None → 'not measured'."""
    return "not measured" if share is None else f"{share:.1%}"
