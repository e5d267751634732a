"""A head that learns while people label: it corrects the zero-shot predictions of a VLM."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Labels, Rows, softmax
from vecaf.inference.image_index import ImageIndex
from vecaf.training.logistic import fit_logistic

MOST_FITTED = 2000  # labeled images; more would make a fit slow and hardly better

PRIOR = 2  # images that count as right in advance, see `zero_shot_trust`


@dataclass
class LiveHead:
    """The head of one dataset. It keeps its weights, so that the next fit starts from them.

    Attributes
    ----------
    classes
        Names of the classes.
    zero_shot
        Logits (n, classes) of all images from the class names.
    weights
        (classes, d), of the last fit.
    trust
        Factor of the zero-shot logits: their accuracy above chance on the labeled images.
    fitted
        Rows and labels of the last fit.
    """

    index: ImageIndex
    classes: tuple[str, ...]
    zero_shot: Floats
    weights: Floats | None = None
    trust: float = 1.0
    fitted: tuple[Rows, Labels] = field(
        default_factory=lambda: (np.empty(0, np.int64), np.empty(0, np.int64))
    )

    def learn(self, rows: Rows, labels: Labels) -> None:
        """Fit the head to labeled images; do nothing if they have not changed."""
        rows, labels = _limited(rows, labels)
        if np.array_equal(rows, self.fitted[0]) and np.array_equal(labels, self.fitted[1]):
            return
        self.trust = zero_shot_trust(self.zero_shot[rows], labels)
        offset = np.float32(self.trust) * self.zero_shot[rows]
        self.weights = fit_logistic(self.index.features.take(rows), labels, offset, self.weights)
        self.fitted = rows, labels

    def probabilities(self, rows: Rows) -> Floats:
        """Predict images: probabilities (m, classes)."""
        logits = np.float32(self.trust) * self.zero_shot[rows]
        if self.weights is not None:
            logits = logits + self.index.features.product(self.weights, rows)
        return softmax(logits)


def zero_shot_trust(logits: Floats, labels: Labels) -> float:
    """Return the accuracy above chance of logits (n, classes), from 0 to 1.

    Two images count as right in advance: a few labels tell little about the accuracy.
    """
    classes = logits.shape[1]
    right = int((logits.argmax(axis=1) == labels).sum())
    accuracy = (right + PRIOR) / (len(labels) + PRIOR)
    return max(0.0, float((accuracy - 1 / classes) / (1 - 1 / classes)))


def _limited(rows: NDArray[np.int64], labels: Labels) -> tuple[Rows, Labels]:
    """Return at most MOST_FITTED of the labeled images. The choice depends on the images only."""
    if len(rows) <= MOST_FITTED:
        return rows, labels
    mixed = (rows * 2654435761) % 2**32  # multiplicative hashing: new labels replace few others
    kept = np.sort(np.argsort(mixed, kind="stable")[:MOST_FITTED])
    return rows[kept], labels[kept]
