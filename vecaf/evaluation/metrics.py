"""What a classifier's predictions are worth: accuracy, calibration, confusion. Arrays in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Labels

Logits = NDArray[np.float32]


def probabilities(logits: Logits) -> NDArray[np.float32]:
    """Softmax over the classes: (n, k) → (n, k), rows summing to 1."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


def cross_entropy(logits: Logits, labels: Labels) -> NDArray[np.float32]:
    """The loss of every row in nats: (n, k), (n,) → (n,)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return np.asarray(log_sum - shifted[np.arange(len(labels)), labels], dtype=np.float32)


def expected_cross_entropy(logits: Logits) -> NDArray[np.float32]:
    """The loss that the model itself expects of every row, its entropy in nats: (n, k) → (n,).

    It stands in for the loss where the label was not bought.
    """
    shares = probabilities(logits)
    return np.asarray(-(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1), dtype=np.float32)


def accuracy(logits: Logits, labels: Labels) -> float | None:
    """Share of rows whose largest logit is the label's, 0 to 1; None for no rows."""
    return float((logits.argmax(axis=1) == labels).mean()) if len(labels) else None


def confusion(logits: Logits, labels: Labels) -> NDArray[np.int64]:
    """Counts (k, k): rows are the true classes, columns the predicted ones."""
    k = logits.shape[1]
    cells = np.bincount(labels * k + logits.argmax(axis=1), minlength=k * k)
    return cells.reshape(k, k)


def expected_calibration_error(logits: Logits, labels: Labels, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, 0 to 1 (Guo et al. 2017, eq. 3; 15 bins there).

    Rows are put into `bins` equal intervals of their top probability.
    """
    if not len(labels):
        return 0.0
    shares = probabilities(logits)
    confidence = shares.max(axis=1)
    right = shares.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(which, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))
