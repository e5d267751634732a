"""Axes of charts that show fractions in percent."""

from __future__ import annotations

import math
from collections.abc import Sequence

SPAN = 0.05  # the smallest range of an axis; in a smaller one, small differences would look large
MARGIN = 0.08  # of the range, beyond the values
RIM = 0.02  # of the range, beyond 0% and 100%, so that a line there is not cut off


def fraction_range(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis that shows `values` (0 to 1).

    They lie within 0 and 1 except for a rim. Without values they are 0 and 1.
    """
    known = [min(1.0, max(0.0, value)) for value in values]
    low, high = min(known, default=0.0), max(known, default=1.0)
    span = max(high - low, SPAN)
    low = min(max(0.0, (low + high - span) / 2), 1.0 - span)
    high = low + span
    return max(-RIM * span, low - MARGIN * span), min(1 + RIM * span, high + MARGIN * span)


def fraction_ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """Return at most `most` round values from `low` to `high`, with their labels in percent.

    Labels have as many decimals as the step between values needs, so no two are equal.
    """
    rough = 100 * (high - low) / most
    power = math.floor(math.log10(rough))
    steps = (factor * 10.0**power for factor in (1, 2, 5, 10))
    step = next(step for step in steps if step >= rough * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(100 * low / step - 1e-9), math.floor(100 * high / step + 1e-9)
    return [(i * step / 100, f"{i * step:.{decimals}f}%") for i in range(first, last + 1)]
