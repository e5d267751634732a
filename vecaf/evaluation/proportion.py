"""Confidence interval of a share, such as the accuracy on a random sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Share:
    """A measured share of `total` with its 95% confidence interval, from 0 to 1."""

    value: float
    low: float
    high: float
    total: int


def wilson(hits: int, total: int, confidence: float = 0.95) -> Share:
    """Return hits / total with Wilson's score interval. `total` is at least 1.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22, 1927.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    value = hits / total
    scale = 1 + z * z / total
    middle = (value + z * z / (2 * total)) / scale
    half = z / scale * math.sqrt(value * (1 - value) / total + z * z / (4 * total * total))
    return Share(value, max(0.0, middle - half), min(1.0, middle + half), total)
