"""Text shift: words for a domain without images become a direction in feature space.

For every class c, Δ_c is the mean over templates of t("{class} {words}") − t("a photo of {class}"):
differences of sentences, in which the gap between texts and images cancels. The linear part of a
ridge map, from the VLM's space to the PVM's features, carries them over. All classes then move
along the mean of the Δ_c: what differs between them is class, not domain, and a head that trains
on f + β·Δ_c learns to read the class off Δ_c instead of f. Measured on
OpenMoji, colour → line drawing, embedded models, 140 random picks without CEA, 3 seeds, β = 1:
66% / 47% (own domain / target) along the mean, 58% / 42% along each class's own Δ_c, 66% / 42%
without words. With a run's picks and CEA nothing is left of that gain: `benchmarks/shift.py`.

That is so for any open_clip model. The embedded VLM's projection also tells what words do to
features, mean and spread (`learned`): then that is gone instead, and β is 1 or less, by validation.

β of a ridge map is chosen without a target image, from three questions; the first two are the
VLM's own consistency.
- reach: what share of the words' direction lies where its embeddings of the pool vary at all?
  A model that names objects but no styles puts "a cartoon of" where no image can be.
- agreement: on images that the map was not fitted on, do features lie the further along the
  mapped direction, the more the VLM finds the words in the image?
- harm: does a classifier that has seen the moved features do no worse on validation images?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Labels, eigh
from vecaf.augmentation import learned as learning
from vecaf.augmentation.learned import Drawn, Learned, Moves
from vecaf.augmentation.ridge import RidgeMap, fit_ridge

EmbedTexts = Callable[[list[str]], Floats]

PLAIN = ("a photo of a {}", "{}", "an image of a {}", "a picture of a {}")
STRENGTHS = (0.25, 0.5, 1.0)  # β, in lengths of a feature row; beyond 1 the words outweigh f
LEAST_REACH = 0.5  # most of the direction should be where images are
LEAST_AGREEMENT = 3.0  # standard errors above a correlation of zero
CLEAN_IMAGES = 20  # validation images without which harm can't be judged
PENALTY = 0.1  # of the classifier that judges harm; its rows have unit length


@dataclass(frozen=True)
class Shift:
    """A direction that words give to features, and how far to go along it.

    direction   float32 (d,), of unit length: the mean over classes
    by_class    float32 (k, d): the mapped Δ_c of each class, before the mean
    strength    β in lengths of a feature row; 0 where the words move nothing useful
    reach       0 to 1, and agreement, a correlation: see above
    reason      a sentence on why β is what it is
    learned     what the VLM's own map says instead: then β is in units of that move, reach is
                how near the words are to those that the map knows, and agreement is 0
    """

    words: str
    direction: Floats
    by_class: Floats
    strength: float
    reach: float
    agreement: float
    reason: str
    learned: Moves | None = None

    def along(self, strength: float) -> Floats:
        """The step (d,) that β = `strength` makes on average."""
        return strength * (self.direction if self.learned is None else self.learned.mean)

    def move(self, features: Floats, seed: int = 0) -> Floats:
        """Unit rows moved by β: (n, d), or several such blocks where a learned map has a spread,
        whose draws `seed` fixes."""
        return self._moved(features, self.strength, seed)

    def _moved(self, features: Floats, strength: float, seed: int) -> Floats:
        step = self.along(strength)
        if self.learned is None:
            return moved(features, step)
        return learning.copies(features, step, strength * self.learned.spread, seed)


def find_shift(
    words: str,
    classes: Sequence[str],
    embed_texts: EmbedTexts,
    evidence: Floats,
    features: Floats,
    clean: Clean,
    learned: Learned | None = None,
) -> Shift:
    """The shift that `words` ask for.

    evidence   (n, d_t): the pool in the VLM's space, the users' captions or the images themselves
    features   (n, d): unit rows of the same images in the PVM's space
    clean      labelled images of the domain at hand; no label of another image is looked at
    learned    the VLM's own map from texts to features, which needs no evidence
    """
    text = text_directions(words, classes, embed_texts)
    wish = text.mean(axis=0)
    moves = learned(wish) if learned else None
    if moves is not None:
        return _by_moves(words, moves, len(classes), clean)
    ridge = fit_ridge(evidence, features)
    by_class = ridge.direction(text)
    direction = _unit(ridge.direction(wish))
    reach = reach_of(wish, evidence)
    agreement = agreement_of(wish, evidence, features)
    strength, reason = _choose(words, direction, reach, agreement, len(features), clean)
    return Shift(words, direction, by_class, strength, reach, agreement, reason)


@dataclass(frozen=True)
class Clean:
    """Labelled unit rows: `features` (n, d) to train on, `val_features` (v, d) to judge by."""

    features: Floats
    labels: Labels
    val_features: Floats
    val_labels: Labels

    def right(self, step: Floats) -> NDArray[np.bool_]:
        """Which validation images (v,) a ridge classifier gets right that saw f and f + step.

        Least squares on one-hot labels, solved in the smaller of its two forms: milliseconds.
        """
        extra = moved(self.features, step) if step.any() else self.features[:0]
        return self.right_with(extra)

    def right_with(self, extra: Floats) -> NDArray[np.bool_]:
        """The same for a classifier that saw `extra` (m·n, d) too, m blocks of moved rows.

        All blocks together weigh as much as the rows alone: copies that lie where their rows do
        change nothing, so that what is judged is how far they moved, not how many they are.
        """
        rows = np.concatenate([self.features, extra])
        blocks = len(rows) // max(len(self.labels), 1)
        penalty = np.float32(PENALTY * blocks)
        labels = np.tile(self.labels, blocks)
        k = int(max(labels.max(), self.val_labels.max())) + 1
        targets = (np.eye(k)[labels] - 1 / k).astype(np.float32)
        if len(rows) <= rows.shape[1]:
            kernel = rows @ rows.T + penalty * np.eye(len(rows), dtype=np.float32)
            weights = rows.T @ np.linalg.solve(kernel, targets)
        else:
            gram = rows.T @ rows + penalty * np.eye(rows.shape[1], dtype=np.float32)
            weights = np.linalg.solve(gram, rows.T @ targets)
        guesses = (self.val_features @ weights).argmax(axis=1)
        return np.asarray(guesses == self.val_labels)


def _by_moves(words: str, moves: Moves, classes: int, clean: Clean) -> Shift:
    """The shift that the VLM's own map gives, the same for all `classes`."""
    by_class = np.tile(moves.mean, (classes, 1))
    shift = Shift(words, _unit(moves.mean), by_class, 0.0, max(moves.nearness, 0.0), 0.0, "", moves)
    judged = len(clean.labels) > 0 and len(clean.val_labels) > 0
    strength, reason = learning.choose(
        words,
        moves,
        clean.right_with(clean.features[:0]) if judged else None,
        lambda beta: clean.right_with(shift._moved(clean.features, beta, 0)),
    )
    return replace(shift, strength=strength, reason=reason)


def sentences(words: str, name: str) -> list[tuple[str, str]]:
    """Pairs (plain, shifted) of sentences on a class, one a template.

    Words that end in "of" (or "of a", "of the") come before the class, others after; "{}" says
    where it goes: "in thick fog", "a line drawing of", "a {} seen from above".
    """
    name, words = name.replace("_", " ").lower(), " ".join(words.split())
    before = words.lower().endswith((" of", " of a", " of an", " of the")) or words.lower() == "of"
    pairs = []
    for template in PLAIN:
        plain = template.format(name)
        if "{}" in words:
            shifted = words.replace("{}", name)
        else:
            shifted = f"{words} {name}" if before else f"{plain} {words}"
        pairs.append((plain, shifted))
    return pairs


def text_directions(words: str, classes: Sequence[str], embed_texts: EmbedTexts) -> Floats:
    """Δ_c (k, d_t) of every class: the mean over templates of shifted minus plain."""
    pairs = [pair for name in classes for pair in sentences(words, name)]
    plain = embed_texts([pair[0] for pair in pairs])
    shifted = embed_texts([pair[1] for pair in pairs])
    difference = (shifted - plain).reshape(len(classes), len(PLAIN), -1)
    return np.asarray(difference.mean(axis=1), dtype=np.float32)


def reach_of(direction: Floats, evidence: Floats, kept: float = 0.95) -> float:
    """Which share, 0 to 1, of a direction's energy (d_t,) lies where `evidence` (n, d_t) varies.

    That is the span of the principal axes that hold `kept` of its variance.
    """
    centred = evidence - evidence.mean(axis=0)
    values, axes = eigh(centred.T @ centred)
    values, axes = values[::-1].clip(0), axes[:, ::-1]
    total = values.sum()
    energy = float(direction @ direction)
    if not total or not energy:
        return 0.0
    count = int((np.cumsum(values) / total < kept).sum()) + 1
    inside = axes[:, :count].T @ direction
    return float(inside @ inside) / energy


def agreement_of(direction: Floats, evidence: Floats, features: Floats, seed: int = 0) -> float:
    """Correlation between the VLM's and the PVM's places of images along a direction (d_t,).

    The map is fitted on one half of the images and asked on the other, both ways; the mean of the
    two correlations. 0 for fewer than 8 images.
    """
    if len(features) < 8:
        return 0.0
    order = np.random.default_rng(seed).permutation(len(features))
    halves = order[::2], order[1::2]
    found = []
    for fitted, asked in (halves, halves[::-1]):
        ridge: RidgeMap = fit_ridge(evidence[fitted], features[fitted])
        along = features[asked] @ ridge.direction(direction)
        wanted = evidence[asked] @ direction
        spread = along.std() * wanted.std()
        covariance = ((along - along.mean()) * (wanted - wanted.mean())).mean()
        found.append(float(covariance / spread) if spread > 1e-12 else 0.0)
    return sum(found) / len(found)


def random_direction(dimension: int, seed: int) -> Floats:
    """A direction of unit length (d,) drawn at random: the control for every text shift."""
    return _unit(np.random.default_rng(seed).normal(size=dimension).astype(np.float32))


def control(shift: Shift, seed: int) -> Shift:
    """A shift as long as `shift` in every part, along directions drawn at random.

    At strength 0 it goes as far as the words would if they were forced to.
    """
    strength = shift.strength or 1.0
    direction = random_direction(len(shift.direction), seed)
    if shift.learned is None:
        return replace(shift, strength=strength, direction=direction)
    rng = np.random.default_rng([seed, 1])
    spread = _unit(rng.normal(size=shift.learned.spread.shape).astype(np.float32))
    spread *= np.linalg.norm(shift.learned.spread, axis=1, keepdims=True)
    mean = direction * np.linalg.norm(shift.learned.mean)
    learned = Drawn(mean, spread, shift.learned.nearness, shift.learned.names)
    return replace(shift, strength=strength, direction=direction, learned=learned)


def moved(features: Floats, step: Floats) -> Floats:
    """Unit rows (n, d) of features plus `step` (d,)."""
    return _unit(features + step)


def _choose(
    words: str, direction: Floats, reach: float, agreement: float, n: int, clean: Clean
) -> tuple[float, str]:
    """β and the sentence on it."""
    named = f"“{words}”"
    if reach < LEAST_REACH:
        return 0.0, (
            f"{named} moves nothing useful: only {reach:.0%} of its direction lies where this "
            "model places images. A run trains as without words."
        )
    if agreement < LEAST_AGREEMENT / np.sqrt(max(n, 1)):
        return 0.0, (
            f"{named} moves nothing useful: on images kept aside the two models agree on it no "
            f"better than chance (correlation {agreement:.2f}). A run trains as without words."
        )
    if len(clean.val_labels) < CLEAN_IMAGES or not len(clean.labels):
        return STRENGTHS[0], (
            f"{named} moves features by {STRENGTHS[0]} of their length, no further: there are too "
            "few labelled validation images to tell whether more would do harm."
        )
    before = clean.right(0 * direction).astype(int)
    for strength in STRENGTHS[::-1]:
        change = clean.right(strength * direction).astype(int) - before
        if change.sum() >= 0:
            return strength, (
                f"{named} moves features by {strength:g} of their length: {reach:.0%} of its "
                f"direction lies where this model places images, the two models agree on it "
                f"(correlation {agreement:.2f}), and validation accuracy changes by "
                f"{100 * change.mean():+.1f} points."
            )
    return 0.0, (
        f"{named} would cost accuracy on the images at hand, however little it moves them. A run "
        "trains as without words."
    )


def _unit(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(length, np.float32(1e-12)), dtype=np.float32)
