"""Predictions of a round's model on test images, with the labels of these images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from vecaf.datasets.snapshot import snapshot_labels
from vecaf.evaluation.predictions import Predictions, load_predictions
from vecaf.store import TEST, Run
from vecaf.store.columns import SPLITS, read_columns


@dataclass(frozen=True)
class LabeledPredictions:
    """Predictions on labeled images, ordered by sample id. All arrays have shape (n,).

    Attributes
    ----------
    ids
        Sample ids, ascending.
    labels, predicted
        Class indices.
    confidence
        Probability of the predicted class, from 0 to 1.
    loss
        Cross-entropy in nats.
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float32]
    loss: NDArray[np.float32]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each prediction is correct."""
        return np.asarray(self.predicted == self.labels)

    def cell(self, true: int, predicted: int) -> NDArray[np.int64]:
        """Return the indices in one cell of the confusion matrix, highest confidence first."""
        found = np.flatnonzero((self.labels == true) & (self.predicted == predicted))
        return found[np.argsort(-self.confidence[found], kind="stable")]

    def highest_loss_mistakes(self, count: int) -> NDArray[np.int64]:
        """Return the indices of the `count` mistakes with the highest loss, highest first."""
        return self._mistakes(self.loss, count)

    def most_confident_mistakes(self, count: int) -> NDArray[np.int64]:
        """Return the indices of the `count` mistakes with the highest confidence, highest first."""
        return self._mistakes(self.confidence, count)

    def _mistakes(self, order_by: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        wrong = np.flatnonzero(~self.correct)
        return wrong[np.argsort(-order_by[wrong], kind="stable")[:count]]


def load_labeled_predictions(
    session: Session, run: Run, folder: Path, number: int
) -> LabeledPredictions | None:
    """Load the predictions of a round on the test images.

    Parameters
    ----------
    session
    run
        A run that the user is authorized to see; this function does not check it.
    folder
        The run's folder.
    number
        The round, from 1.

    Returns
    -------
    LabeledPredictions or None
        With the labels that the run used. None if the round saved no predictions.
    """
    predictions = load_predictions(folder, number)
    if predictions is None:
        return None
    columns = read_columns(session, run.owner_id, run.dataset_id)
    at_start = snapshot_labels(folder)
    usable = at_start is not None and len(at_start) == len(columns)
    labels = at_start if at_start is not None and usable else columns.labels.astype(np.int64)
    test = (columns.splits == SPLITS.index(TEST)) & (labels >= 0)
    return match_predictions(columns.ids[test], labels[test], predictions)


def match_predictions(
    ids: NDArray[np.int64], labels: NDArray[np.int64], predictions: Predictions
) -> LabeledPredictions:
    """Join predictions and labels by sample id.

    Parameters
    ----------
    ids : array of shape (n,), ascending
    labels : array of shape (n,)
    predictions

    Returns
    -------
    LabeledPredictions
        Of the images that have both a label and a prediction.
    """
    _, here, there = np.intersect1d(ids, predictions.ids, assume_unique=True, return_indices=True)
    return LabeledPredictions(
        ids[here],
        labels[here],
        predictions.predicted[there].astype(np.int64),
        predictions.confidence[there],
        predictions.loss[there],
    )
