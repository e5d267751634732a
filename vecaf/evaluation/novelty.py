"""Measure how far images are from the training data in feature space (out-of-distribution score).

All functions are pure.

References
----------
Sun et al., "Out-of-distribution Detection with Deep Nearest Neighbors", ICML 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vecaf.arrays import Floats
from vecaf.arrays.neighbors import nearest_rows
from vecaf.errors import InputError

NEIGHBORS = 5  # training images that an image is compared with
QUANTILE = 0.95  # share of the reference images that count as like the training data


@dataclass(frozen=True)
class Novelty:
    """A scale for distances from the training data.

    Attributes
    ----------
    training
        Features (n, d) of the training images, unit rows.
    neighbors
        How many of the nearest training images an image is compared with.
    threshold
        Images farther away are unlike the training data.
    held_out
        Whether the threshold comes from validation images, not from the training images.
    """

    training: Floats
    neighbors: int
    threshold: float
    held_out: bool

    def distances(self, features: Floats) -> Floats:
        """Return the mean cosine distance (m,) of features (m, d) to the nearest training images.

        Distances are 0 for equal features and at most 2.
        """
        return _distances(features, self.training, self.neighbors)

    def sentence(self) -> str:
        """Explain the score."""
        reference = "validation" if self.held_out else "training"
        near = "the nearest training image" if self.neighbors == 1 else (
            f"the {self.neighbors} nearest training images"
        )  # fmt: skip
        return (
            f"An image's distance is measured to {near} in the model's feature space. Images "
            f"farther away than {self.threshold:.3f} are outliers; {QUANTILE:.0%} of the "
            f"{reference} images are closer."
        )


def fit_novelty(training: Floats, held_out: Floats) -> Novelty:
    """Set the threshold from held-out images, or from the training images if there are none.

    Parameters
    ----------
    training
        Features (n, d) of the training images, unit rows.
    held_out
        Features (m, d) of images from the same source that the model was not trained on.

    Raises
    ------
    InputError
        There are fewer than two training images.
    """
    if len(training) < 2:
        raise InputError("The run has fewer than two training images to compare with.")
    neighbors = min(NEIGHBORS, len(training) - 1)
    if len(held_out):
        known = _distances(held_out, training, neighbors)
    else:  # each training image is compared with the others
        known = _distances(training, training, neighbors, exclude_self=True)
    threshold = float(np.quantile(known, QUANTILE))
    return Novelty(training, neighbors, threshold, bool(len(held_out)))


def _distances(
    rows: Floats, training: Floats, neighbors: int, *, exclude_self: bool = False
) -> Floats:
    _, cosine = nearest_rows(rows, training, neighbors, exclude_self=exclude_self)
    distances: Floats = np.maximum(np.float32(0), 1 - cosine).mean(axis=1)
    return distances
