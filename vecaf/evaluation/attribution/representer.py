"""Representer values: how much each training image contributes to a linear classifier's logit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, softmax


def representer_values(
    features: Floats,
    logits: Floats,
    labels: NDArray[np.int64],
    query: Floats,
    class_index: int,
    label_smoothing: float = 0.0,
) -> Floats:
    """Compute each training image's contribution to the logit of one class.

    If the last layer is trained to a stationary point with weight decay λ, the logit of class c
    for features f is a sum over the n training images::

        logit_c(f) = Σ_i (t_ic − p_ic) / (2 λ n) · (f_i · f)

    where t_i is the target, p_i the predicted probabilities and f_i the features of image i. The
    constant factor 1 / (2 λ n) is omitted, so only ratios are meaningful. The values are
    approximate if training stopped early or used augmented features.

    Parameters
    ----------
    features : array of shape (n, d)
        Features of the training images.
    logits : array of shape (n, classes)
        Logits of the finished model for the training images.
    labels : array of shape (n,)
        Class indices of the training images.
    query : array of shape (d,)
        Features of the image whose prediction is explained.
    class_index
        The class whose logit is decomposed.
    label_smoothing
        The label smoothing used in training, from 0 to 1. The default of 0 means hard targets.

    Returns
    -------
    array of shape (n,)
        A positive value increases the logit, a negative value decreases it.

    References
    ----------
    Yeh, Kim, Yen and Ravikumar, "Representer Point Selection for Explaining Deep Neural
    Networks", NeurIPS 2018, theorem 3.1.
    """
    probability = softmax(logits)[:, class_index]
    classes = logits.shape[1]
    target = np.where(labels == class_index, 1.0 - label_smoothing, 0.0) + label_smoothing / classes
    values: Floats = ((target - probability) * (features @ query)).astype(np.float32)
    return values


def positive_shares(values: Floats) -> Floats:
    """Divide each positive value by the sum of the positive values.

    Negative values get a share of 0. If no value is positive, all shares are 0.

    Parameters
    ----------
    values : array of shape (n,)

    Returns
    -------
    array of shape (n,)
    """
    positive = np.maximum(values, 0.0)
    total = float(positive.sum())
    shares: Floats = (positive / total if total > 0 else positive).astype(np.float32)
    return shares
