"""A text shift where the VLM itself knows what words do to features (`VLM.moves`).

No pool is asked: photos tell nothing about cartoons. The map was fitted on photos under many
domains, and gives a mean direction and a spread, for a cartoon is not a photo plus one vector.
A head that learns from copies along both learns to look past them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats

COPIES = 4  # of each pick; the spread needs several
STRENGTHS = (0.25, 0.5, 1.0)  # of the whole move; 1 is what the words did to photos
LEAST_NEARNESS = 0.5  # cosine to the nearest words that the map was fitted on
CLEAN_IMAGES = 20  # validation images without which harm can't be judged
HARM = 0.005  # of the validation images: what the words may cost


class Moves(Protocol):
    """What words do to features, in lengths of a centred feature row; `encoders.projection`."""

    @property
    def mean(self) -> Floats: ...
    @property
    def spread(self) -> Floats: ...
    @property
    def nearness(self) -> float: ...
    @property
    def names(self) -> tuple[tuple[str, float], ...]: ...


@dataclass(frozen=True)
class Drawn:
    """Moves that no words stand for: the control for those that do."""

    mean: Floats
    spread: Floats
    nearness: float
    names: tuple[tuple[str, float], ...]


Learned = Callable[[Floats], Moves | None]
"""From a difference of texts (d_t,) to what it does, or None where features are another PVM's."""


def choose(
    words: str,
    moves: Moves,
    before: NDArray[np.bool_] | None,
    after: Callable[[float], NDArray[np.bool_]],
) -> tuple[float, str]:
    """How far to go and the sentence on it, from validation images alone.

    `before` and `after(strength)`: which validation images (v,) a classifier gets right that saw
    the picks, or the moved copies as well; `before` is None where there are no labelled picks.
    """
    named = f"“{words}”"
    told = ", ".join(f"{name} {share:.0%}" for name, share in moves.names)
    if moves.nearness < LEAST_NEARNESS:
        return 0.0, (
            f"{named} moves nothing useful: this model knows no words near them (the nearest, "
            f"{moves.names[0][0]}, have a cosine of {moves.nearness:.2f}). A run trains as without "
            "words."
        )
    if before is None or len(before) < CLEAN_IMAGES:
        return STRENGTHS[0], (
            f"{named} is taken for {told}; features move by {STRENGTHS[0]} of what that does to "
            "photos, no further: there are too few labelled validation images to tell whether "
            "more would do harm."
        )
    for strength in STRENGTHS[::-1]:
        change = after(strength).astype(int) - before.astype(int)
        if change.mean() >= -HARM:
            return strength, (
                f"{named} is taken for {told} (cosine {moves.nearness:.2f}) and moves features by "
                f"{strength:g} of what that does to photos; validation accuracy changes by "
                f"{100 * change.mean():+.1f} points."
            )
    return 0.0, (
        f"{named} would cost accuracy on the images at hand, however little it moves them. A run "
        "trains as without words."
    )


def copies(features: Floats, mean: Floats, spread: Floats, seed: int) -> Floats:
    """COPIES blocks (COPIES·n, d) of unit rows of features (n, d) moved by mean + g @ spread."""
    drawn = np.random.default_rng(seed).normal(size=(COPIES * len(features), len(spread)))
    rows = np.tile(features, (COPIES, 1)) + mean + drawn.astype(np.float32) @ spread
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)
