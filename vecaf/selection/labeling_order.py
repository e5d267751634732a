"""The order in which a person labels images: what the model is unsure of, spread over the data."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Rows

CANDIDATES = 2000  # most uncertain images that are compared with each other


def labeling_order(probabilities: Floats, features: Floats, labeled: Floats, count: int) -> Rows:
    """Order unlabeled images by how much their labels are expected to teach the model.

    Each step takes the image with the largest product of uncertainty and the square root of the
    distance. The uncertainty is 1 − the margin between the two most likely classes. The distance is
    to the nearest image that is labeled or comes earlier in the order, as 1 − cosine: similar
    images teach the same.

    Parameters
    ----------
    probabilities
        Predictions of the unlabeled images, shape (n, classes), with at least two classes.
    features
        Their unit rows, shape (n, d).
    labeled
        Unit rows of the labeled images, shape (m, d).
    count
        Length of the order; the rest is not ordered.

    Returns
    -------
    array of shape (min(count, n),)
        Row numbers, the most useful image first.
    """
    uncertainty = 1 - margins(probabilities)
    most = np.argsort(-uncertainty, kind="stable")[: max(CANDIDATES, count)]
    rows, score = features[most], uncertainty[most]
    distance = np.ones(len(most), np.float32)
    if len(labeled):
        distance = 1 - (rows @ labeled.T).max(axis=1)
    order: list[int] = []
    taken = np.zeros(len(most), bool)
    for _ in range(min(count, len(most))):
        gain = np.where(taken, -np.inf, score * np.sqrt(np.maximum(distance, 0)))
        best = int(gain.argmax())
        taken[best] = True
        order.append(best)
        distance = np.minimum(distance, 1 - rows @ rows[best])
    return most[order].astype(np.int64)


def margins(probabilities: Floats) -> Floats:
    """Return the difference between the two largest probabilities of each row, shape (n,)."""
    top = np.partition(probabilities, -2, axis=1)
    difference: Floats = top[:, -1] - top[:, -2]
    return difference
