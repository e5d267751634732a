"""A shift that the VLM has learned (`VLM.learned_shift`).

The projection of the installed VLM was fitted on photos in many domains. It gives the mean change
of features and a spread, because a cartoon is not a photo plus one vector. The pool isn't needed,
because its photos contain no information on cartoons. A head that trains on copies drawn from mean
and spread learns to ignore the domain.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, unit_rows
from vecaf.augmentation.shift_checks import REMEDY
from vecaf.encoders.projection import LearnedShift
from vecaf.wording import points

COPIES = 4  # of each selected image; one copy would not show the spread
STRENGTHS = (0.25, 0.5, 1.0)  # 1 is the whole change that the domain makes in photos
MIN_NEARNESS = 0.5  # cosine to the nearest words that the projection was fitted on
MIN_VALIDATION = 20  # validation images without which harm can't be measured
MAX_HARM = 0.005  # of the validation accuracy


def choose_strength(
    words: str,
    shift: LearnedShift,
    before: NDArray[np.bool_] | None,
    after: Callable[[float], NDArray[np.bool_]],
) -> tuple[float, str]:
    """Choose how far features move, from validation images of the dataset's own domain.

    Parameters
    ----------
    words
        The target words.
    shift
        What the VLM has learned about them.
    before
        Whether a classifier trained without moved copies predicts each validation image correctly,
        shape (v,); None without labeled images.
    after
        Returns the same for a classifier trained with copies moved by the given strength.

    Returns
    -------
    strength : float
        The largest strength that does no harm; 0 if there is none.
    reason : str
        A sentence that explains it.
    """
    if shift.nearness < MIN_NEARNESS:
        return 0.0, (
            f"“{words}” has no effect: the vision-language model knows no similar domain. The "
            f"closest one is {shift.names[0][0]} (cosine similarity {shift.nearness:.2f}). {REMEDY}"
        )
    if before is None or len(before) < MIN_VALIDATION:
        return STRENGTHS[0], (
            f"{_describe(words, shift, STRENGTHS[0])} With at least {MIN_VALIDATION} labeled "
            "validation images, the studio also tries larger shifts."
        )
    for strength in STRENGTHS[::-1]:
        change = after(strength).astype(int) - before.astype(int)
        if change.mean() >= -MAX_HARM:
            return strength, (
                f"{_describe(words, shift, strength)} Validation accuracy changes by "
                f"{points(float(change.mean()))} points."
            )
    return 0.0, (
        f"The shift toward “{words}” is not applied, because even a small shift would reduce "
        f"validation accuracy. {REMEDY}"
    )


def _describe(words: str, shift: LearnedShift, strength: float) -> str:
    """Say which domains are closest to the words, and how far features move toward them."""
    way = "all the way" if strength == 1 else f"{strength:.0%} of the way"
    if len(shift.names) == 1:
        known = f"domain to “{words}” that the vision-language model knows is “{shift.names[0][0]}”"
        return (
            f"The closest {known} (cosine similarity {shift.nearness:.2f}). The shift moves image "
            f"features {way} from ordinary photos to it."
        )
    *first, last = (f"“{name}” (weight {share:.0%})" for name, share in shift.names)
    return (
        f"The closest domains to “{words}” that the vision-language model knows are "
        f"{', '.join(first)} and {last}. The highest cosine similarity is {shift.nearness:.2f}. "
        f"The shift moves image features {way} from ordinary photos to them."
    )


def copies(features: Floats, mean: Floats, spread: Floats, seed: int) -> Floats:
    """Draw moved copies of features.

    Parameters
    ----------
    features
        Unit rows, shape (n, d).
    mean
        Mean movement, shape (d,).
    spread
        Shape (r, d): a copy moves by mean + g @ spread, with g from a standard normal.
    seed
        Seed of the draws.

    Returns
    -------
    array of shape (COPIES·n, d)
        Unit rows, copy by copy.
    """
    drawn = np.random.default_rng(seed).normal(size=(COPIES * len(features), len(spread)))
    return unit_rows(np.tile(features, (COPIES, 1)) + mean + drawn.astype(np.float32) @ spread)
