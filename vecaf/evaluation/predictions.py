"""Predictions of a round's model, saved in the run's folder as `predictions-<round>.npz`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import softmax
from vecaf.evaluation.losses import cross_entropy
from vecaf.files import Publishing, replacing


@dataclass(frozen=True)
class Predictions:
    """Predictions on images, ordered by sample id. All arrays have shape (n,).

    The losses of test images and of images without a revealed label are for display only. Selection
    and training never read them.

    Attributes
    ----------
    ids
        Sample ids, ascending.
    predicted
        Index of the most probable class.
    confidence
        Probability of that class, from 0 to 1.
    loss
        Cross-entropy in nats. NaN if the image has no label.
    """

    ids: NDArray[np.int64]
    predicted: NDArray[np.int16]
    confidence: NDArray[np.float32]
    loss: NDArray[np.float32]

    @classmethod
    def of(
        cls, ids: NDArray[np.int64], logits: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> Predictions:
        """Create predictions from logits.

        Parameters
        ----------
        ids : array of shape (n,)
        logits : array of shape (n, classes)
        labels : array of shape (n,)
            −1 if the image has no label.
        """
        shares = softmax(logits)
        loss = np.full(len(ids), np.nan, dtype=np.float32)
        known = labels >= 0
        loss[known] = cross_entropy(logits[known], labels[known])
        return cls(ids, logits.argmax(axis=1).astype(np.int16), shares.max(axis=1), loss)


def save_predictions(
    folder: Path, number: int, predictions: Predictions, publishing: Publishing = nullcontext
) -> None:
    """Write the predictions of a round into the run's folder.

    Parameters
    ----------
    folder
        The run's folder.
    number
        The round, from 1.
    predictions
    publishing
        The context in which the file appears; see `vecaf.files.replacing`.
    """
    target = replacing(_path(folder, number), publishing=publishing)
    with target as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            ids=predictions.ids,
            predicted=predictions.predicted,
            confidence=predictions.confidence,
            loss=predictions.loss,
        )


def load_predictions(folder: Path, number: int) -> Predictions | None:
    """Read the predictions of a round.

    The predictions of the last round cover every sample. Those of earlier rounds cover at least the
    validation and test images.

    Returns
    -------
    Predictions or None
        None if the round has not finished, or an older version of the studio ran it.
    """
    try:
        with np.load(_path(folder, number), allow_pickle=False) as file:
            names = ("ids", "predicted", "confidence", "loss")
            return Predictions(*(file[name] for name in names))
    except FileNotFoundError:
        return None


def _path(folder: Path, number: int) -> Path:
    return folder / f"predictions-{number}.npz"
