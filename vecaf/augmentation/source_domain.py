"""Labeled images of the dataset's own domain, which show whether a shift harms its accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Labels, unit_rows

PENALTY = 0.1  # ridge penalty of the classifier; rows have unit length


@dataclass(frozen=True)
class SourceDomain:
    """Features of labeled images.

    Attributes
    ----------
    features, labels
        To train on: unit rows (n, d) and class indices (n,).
    val_features, val_labels
        To validate on: unit rows (v, d) and class indices (v,).
    """

    features: Floats
    labels: Labels
    val_features: Floats
    val_labels: Labels

    @property
    def usable(self) -> bool:
        """Whether there are images to train and to validate on."""
        return len(self.labels) > 0 and len(self.val_labels) > 0

    def correct(self, step: Floats) -> NDArray[np.bool_]:
        """Return which validation images a classifier predicts correctly: shape (v,).

        It trains on the features and, unless `step` (d,) is zero, on the features moved by it.
        """
        extra = moved(self.features, step) if step.any() else self.features[:0]
        return self.correct_with(extra)

    def correct_with(self, extra: Floats) -> NDArray[np.bool_]:
        """Return which validation images a ridge classifier predicts correctly: shape (v,).

        The classifier solves least squares on one-hot labels, which takes milliseconds. The penalty
        grows with the number of versions, so unmoved copies of the rows change nothing.

        Parameters
        ----------
        extra
            m moved versions of the features, shape (m·n, d), version by version; m may be 0.
        """
        rows = np.concatenate([self.features, extra])
        versions = len(rows) // max(len(self.labels), 1)
        penalty = np.float32(PENALTY * versions)
        labels = np.tile(self.labels, versions)
        k = int(max(labels.max(), self.val_labels.max())) + 1
        targets = (np.eye(k)[labels] - 1 / k).astype(np.float32)
        if len(rows) <= rows.shape[1]:  # the dual form solves the smaller system
            gram = rows @ rows.T + penalty * np.eye(len(rows), dtype=np.float32)
            weights = rows.T @ np.linalg.solve(gram, targets)
        else:
            gram = rows.T @ rows + penalty * np.eye(rows.shape[1], dtype=np.float32)
            weights = np.linalg.solve(gram, rows.T @ targets)
        predicted = (self.val_features @ weights).argmax(axis=1)
        return np.asarray(predicted == self.val_labels)


def moved(features: Floats, step: Floats) -> Floats:
    """Return unit rows (n, d) of features plus `step` (d,)."""
    return unit_rows(features + step)
