"""Metrics of a classifier: accuracy, losses, calibration error, confusion matrix.

All functions are pure. `logits` have shape (n, classes), `labels` are class indices of shape (n,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Labels

Logits = NDArray[np.float32]


def probabilities(logits: Logits) -> NDArray[np.float32]:
    """Compute the softmax over the classes.

    Returns
    -------
    array of shape (n, classes)
        Each row sums to 1.
    """
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


def cross_entropy(logits: Logits, labels: Labels) -> NDArray[np.float32]:
    """Compute the per-sample cross-entropy loss in nats.

    Returns
    -------
    array of shape (n,)
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return np.asarray(log_sum - shifted[np.arange(len(labels)), labels], dtype=np.float32)


def expected_cross_entropy(logits: Logits) -> NDArray[np.float32]:
    """Compute the entropy of the predicted probabilities in nats.

    This is the loss that the model expects of each sample. It replaces the per-sample loss if the
    label is not known.

    Returns
    -------
    array of shape (n,)
    """
    shares = probabilities(logits)
    return np.asarray(-(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1), dtype=np.float32)


def accuracy(logits: Logits, labels: Labels) -> float | None:
    """Compute the fraction of samples whose largest logit is that of the label.

    Returns
    -------
    float or None
        From 0 to 1. None if there are no samples.
    """
    return float((logits.argmax(axis=1) == labels).mean()) if len(labels) else None


def confusion(logits: Logits, labels: Labels) -> NDArray[np.int64]:
    """Count the samples for each pair of true and predicted class.

    Returns
    -------
    array of shape (classes, classes)
        Rows are true classes, columns are predicted classes.
    """
    k = logits.shape[1]
    cells = np.bincount(labels * k + logits.argmax(axis=1), minlength=k * k)
    return cells.reshape(k, k)


def expected_calibration_error(logits: Logits, labels: Labels, bins: int = 15) -> float:
    """Compute the mean gap between confidence and accuracy.

    Parameters
    ----------
    logits : array of shape (n, classes)
    labels : array of shape (n,)
    bins
        Number of equal-width confidence intervals. The default is that of the paper.

    Returns
    -------
    float
        From 0 to 1. 0 if there are no samples.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
    equation 3.
    """
    if not len(labels):
        return 0.0
    shares = probabilities(logits)
    confidence = shares.max(axis=1)
    correct = shares.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(which, weights=confidence - correct, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))
