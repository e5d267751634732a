"""A target domain described by words becomes a shift in feature space.

For every class c, Δ_c is the mean over templates of t("{class} {words}") − t("a photo of {class}").
The linear part of a ridge map carries Δ_c from the text space of the VLM to the features of the
backbone. All classes move along the mean of the Δ_c: their differences describe classes, not the
domain, and a head trained on f + β·Δ_c would learn to read the class from Δ_c. Accuracy on the own
domain / on the target domain, OpenMoji, color → line drawing, installed models, 140 random images,
no CEA, 3 seeds, β = 1: 66% / 47% along the mean, 58% / 42% along each Δ_c, 66% / 42% without words.
With a run's own selection and CEA, the gain is smaller and not significant (`benchmarks/shift.py`).

This works with any open_clip model. The projection of the installed VLM has also learned how words
change features, as a mean and a spread (`learned`). If it knows the words, that replaces the map.

Three checks choose β of a mapped shift without any target image: reach and agreement
(`shift_checks`) show whether the VLM knows the words, and validation shows whether the shift harms
accuracy (`source_domain`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vecaf.arrays import Floats, unit_rows
from vecaf.augmentation import learned as learning
from vecaf.augmentation.ridge import fit_ridge
from vecaf.augmentation.shift_checks import REMEDY, agreement_of, reach_of
from vecaf.augmentation.shift_text import EmbedTexts, text_directions
from vecaf.augmentation.source_domain import SourceDomain, moved
from vecaf.encoders.projection import LearnedShift
from vecaf.wording import points

STRENGTHS = (0.25, 0.5, 1.0)  # β in lengths of a feature row; beyond 1, words outweigh the image
MIN_REACH = 0.5
MIN_AGREEMENT = 3.0  # standard errors above a correlation of zero
MIN_VALIDATION = 20  # validation images without which harm can't be measured

FindLearned = Callable[[Floats], LearnedShift | None]
"""Maps a difference of text embeddings (e,) to a change of features; None if it is not learned."""


@dataclass(frozen=True)
class Shift:
    """How target words move features.

    Attributes
    ----------
    words
        The target words.
    direction
        Unit vector, shape (d,): the mapped mean of Δ_c over classes.
    by_class
        The mapped Δ_c of each class, shape (classes, d).
    strength
        β in lengths of a feature row; 0 if the shift wouldn't help.
    reach
        Share of the direction in the subspace where image embeddings vary, 0 to 1.
    agreement
        Correlation of the VLM and the backbone along the direction.
    reason
        A sentence that explains the strength.
    learned
        The shift that the VLM has learned, if it is used. `strength` is then a share of that shift,
        `reach` is the similarity to the words it has learned, and `agreement` is 0.
    """

    words: str
    direction: Floats
    by_class: Floats
    strength: float
    reach: float
    agreement: float
    reason: str
    learned: LearnedShift | None = None

    def step(self, strength: float) -> Floats:
        """Return the mean movement (d,) of a feature row at β = `strength`."""
        return strength * (self.direction if self.learned is None else self.learned.mean)

    def move(self, features: Floats, seed: int = 0) -> Floats:
        """Move unit rows by β.

        Parameters
        ----------
        features
            Unit rows, shape (n, d).
        seed
            Seed of the draws from the spread of a learned shift.

        Returns
        -------
        array of shape (n, d), or (COPIES·n, d) for a learned shift
            Unit rows, copy by copy.
        """
        return self._moved(features, self.strength, seed)

    def _moved(self, features: Floats, strength: float, seed: int) -> Floats:
        step = self.step(strength)
        if self.learned is None:
            return moved(features, step)
        return learning.copies(features, step, strength * self.learned.spread, seed)


def find_shift(
    words: str,
    classes: Sequence[str],
    embed_texts: EmbedTexts,
    embeddings: Floats,
    features: Floats,
    source: SourceDomain,
    find_learned: FindLearned | None = None,
) -> Shift:
    """Find the shift that target words describe, and choose its strength.

    Parameters
    ----------
    words
        The target words.
    classes
        Class names.
    embed_texts
        The text encoder of the VLM.
    embeddings
        The pool in the space of the VLM, shape (n, e): of captions or of images.
    features
        Unit rows of the same images, shape (n, d).
    source
        Labeled images of the dataset's own domain. No label of another image is used.
    find_learned
        The shift that the VLM has learned; it needs neither `embeddings` nor `features`.
    """
    text = text_directions(words, classes, embed_texts)
    mean_text = text.mean(axis=0)
    learned = find_learned(mean_text) if find_learned else None
    if learned is not None:
        return _learned_shift(words, learned, len(classes), source)
    ridge = fit_ridge(embeddings, features)
    by_class = ridge.direction(text)
    direction = unit_rows(ridge.direction(mean_text))
    reach = reach_of(mean_text, embeddings)
    agreement = agreement_of(mean_text, embeddings, features)
    strength, reason = _choose_strength(words, direction, reach, agreement, len(features), source)
    return Shift(words, direction, by_class, strength, reach, agreement, reason)


def _learned_shift(words: str, learned: LearnedShift, classes: int, source: SourceDomain) -> Shift:
    """Return the shift that the VLM has learned, the same for all classes."""
    direction = unit_rows(learned.mean)
    by_class = np.tile(learned.mean, (classes, 1))
    reach = max(learned.nearness, 0.0)
    shift = Shift(words, direction, by_class, 0.0, reach, 0.0, "", learned)
    strength, reason = learning.choose_strength(
        words,
        learned,
        source.correct_with(source.features[:0]) if source.usable else None,
        lambda strength: source.correct_with(shift._moved(source.features, strength, 0)),
    )
    return replace(shift, strength=strength, reason=reason)


def random_direction(dimension: int, seed: int) -> Floats:
    """Return a random unit vector (d,): the control for every shift."""
    return unit_rows(np.random.default_rng(seed).normal(size=dimension).astype(np.float32))


def random_shift(shift: Shift, seed: int) -> Shift:
    """Return a shift of the same length in a random direction.

    For a shift of strength 0, it has strength 1: as far as the words would move features if the
    checks were ignored.
    """
    strength = shift.strength or 1.0
    direction = random_direction(len(shift.direction), seed)
    if shift.learned is None:
        return replace(shift, strength=strength, direction=direction)
    rng = np.random.default_rng([seed, 1])
    spread = unit_rows(rng.normal(size=shift.learned.spread.shape).astype(np.float32))
    spread *= np.linalg.norm(shift.learned.spread, axis=1, keepdims=True)
    mean = direction * np.linalg.norm(shift.learned.mean)
    learned = replace(shift.learned, mean=mean, spread=spread)
    return replace(shift, strength=strength, direction=direction, learned=learned)


def _choose_strength(
    words: str,
    direction: Floats,
    reach: float,
    agreement: float,
    n: int,
    source: SourceDomain,
) -> tuple[float, str]:
    """Return β and the sentence that explains it."""
    if reach < MIN_REACH:
        return 0.0, (
            f"“{words}” has no effect: only {reach:.0%} of the shift is along directions in which "
            f"your images differ from each other. {REMEDY}"
        )
    if agreement < MIN_AGREEMENT / np.sqrt(max(n, 1)):
        return 0.0, (
            f"“{words}” has no effect: the vision-language model and the vision model don't agree "
            f"on which images fit the description (correlation {agreement:.2f}). {REMEDY}"
        )
    if len(source.val_labels) < MIN_VALIDATION or not len(source.labels):
        return STRENGTHS[0], (
            f"“{words}” moves features by {STRENGTHS[0]:.0%} of their length. With at least "
            f"{MIN_VALIDATION} labeled validation images, the studio also tries larger shifts."
        )
    before = source.correct(0 * direction).astype(int)
    for strength in STRENGTHS[::-1]:
        change = source.correct(strength * direction).astype(int) - before
        if change.sum() >= 0:
            return strength, (
                f"“{words}” moves features by {strength:.0%} of their length. Validation accuracy "
                f"changes by {points(float(change.mean()))} points. {reach:.0%} of the shift is "
                "along directions in which your images differ from each other. The vision-language "
                "model and the vision model agree on which images fit the description (correlation "
                f"{agreement:.2f})."
            )
    return 0.0, (
        f"The shift toward “{words}” is not applied, because even a small shift would reduce "
        f"validation accuracy. {REMEDY}"
    )
