"""Cross-validated accuracies of a head that was trained on parts of the labeled images."""

from __future__ import annotations

import numpy as np
import torch

from vecaf.arrays import Floats, Labels
from vecaf.evaluation.forecast import CurvePoints
from vecaf.training.initialization import text_scale
from vecaf.training.logistic import fit_logistic

PARTS = (0.15, 0.25, 0.4, 0.55, 0.75)  # of the labeled images
REPEATS = 8
HELD_OUT = 0.25
MOST_IMAGES = 800  # that take part: more would take long and hardly change the curve
FEWEST_IMAGES = 12


def cross_validated_points(
    features: Floats, labels: Labels, text_weights: Floats | None = None, seed: int = 0
) -> CurvePoints:
    """Train a logistic head on random parts, and measure it on images that are held out.

    The parts of a repetition are nested and have the same held-out images, so that the differences
    between them are more exact than the accuracies.

    Parameters
    ----------
    features
        Centered unit features of the labeled images, shape (n, d).
    labels
        Class indices, shape (n,).
    text_weights
        Classifier (classes, d) from class names that the run's head starts from. The heads here
        start from it, too: without it, they need more labels, so their curve is steeper. None for
        a run whose head starts from zero.

    Returns
    -------
    CurvePoints
        Empty with fewer than FEWEST_IMAGES images or with one class.
    """
    rng = np.random.default_rng(seed)
    if len(labels) > MOST_IMAGES:
        some = rng.choice(len(labels), MOST_IMAGES, replace=False)
        features, labels = features[some], labels[some]
    n, classes = len(labels), int(labels.max(initial=-1)) + 1
    if text_weights is not None:
        classes = len(text_weights)
    if n < FEWEST_IMAGES or len(np.unique(labels)) < 2:
        return CurvePoints((), (), ())
    logits = np.zeros((n, classes), np.float32)  # from class names
    if text_weights is not None:
        logits = features @ text_weights.T
    sizes = sorted({max(2, round(part * n)) for part in PARTS})
    found = np.empty((REPEATS, len(sizes)))
    for repeat in range(REPEATS):
        order = rng.permutation(n)
        held, rest = np.split(order, [round(HELD_OUT * n)])
        weights = None
        for place, size in enumerate(sizes):
            rows = rest[:size]
            scale = text_scale(torch.from_numpy(logits[rows]), torch.from_numpy(labels[rows]))
            weights = fit_logistic(features[rows], labels[rows], scale * logits[rows], weights)
            predicted = (scale * logits[held] + features[held] @ weights.T).argmax(axis=1)
            found[repeat, place] = (predicted == labels[held]).mean()
    differences = found - found.mean(axis=1, keepdims=True)
    # The repetitions share images, so their mean is less exact than that of independent ones.
    error = differences.std(axis=0, ddof=1) / np.sqrt(REPEATS * HELD_OUT)
    return CurvePoints(tuple(sizes), tuple(found.mean(axis=0).tolist()), tuple(error.tolist()))
