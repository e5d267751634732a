"""The registry of domains: a transform of pixels, and sentences that describe it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tools.projection.domains.filters import Pixels, Rng

Transform = Callable[[Pixels, Rng], Pixels]


@dataclass(frozen=True)
class Domain:
    """A transform of pixels (224, 224, 3), and sentences about it with "{}" for the class."""

    transform: Transform
    sentences: tuple[str, ...]


DOMAINS: dict[str, Domain] = {}
"""By name, in a fixed order, the photo first."""


def domain(*sentences: str) -> Callable[[Transform], Transform]:
    """Register a transform under its name, with sentences that describe it."""

    def keep(transform: Transform) -> Transform:
        DOMAINS[transform.__name__] = Domain(transform, sentences)
        return transform

    return keep


@domain("a photo of a {}", "a picture of a {}", "a photograph of a {}", "an image of a {}", "{}")
def photo(p: Pixels, rng: Rng) -> Pixels:
    """Return the photo unchanged."""
    return p
