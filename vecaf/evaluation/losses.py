"""Losses per sample. Strategies read them, and pages sort images by them.

All functions are pure. `logits` have shape (n, classes), `labels` are class indices of shape (n,).
"""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Labels, softmax


def cross_entropy(logits: Floats, labels: Labels) -> Floats:
    """Compute the per-sample cross-entropy loss in nats.

    Returns
    -------
    array of shape (n,)
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return np.asarray(log_sum - shifted[np.arange(len(labels)), labels], dtype=np.float32)


def expected_cross_entropy(logits: Floats) -> Floats:
    """Compute the entropy of the predicted probabilities in nats.

    This is the loss that the model expects of each sample. It replaces the per-sample loss if the
    label is not known.

    Returns
    -------
    array of shape (n,)
    """
    shares = softmax(logits)
    return np.asarray(-(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1), dtype=np.float32)
