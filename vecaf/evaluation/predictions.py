"""What a round's model says of every image, kept beside the run: `predictions-<round>.npz`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.evaluation import metrics
from vecaf.files import Publishing, replacing


@dataclass(frozen=True)
class Predictions:
    """One entry an image (n,), in ascending order of `ids`, the samples' ids.

    `predicted` is the index of the likeliest class, `confidence` its probability (0 to 1), `loss`
    the cross-entropy in nats, NaN where the image has no label. The losses of test images and of
    labels that were not bought are here to be looked at; nothing that selects or trains reads them.
    """

    ids: NDArray[np.int64]
    predicted: NDArray[np.int16]
    confidence: NDArray[np.float32]
    loss: NDArray[np.float32]

    @classmethod
    def of(
        cls, ids: NDArray[np.int64], logits: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> Predictions:
        """From logits (n, classes) and labels (n,), −1 where there is none."""
        shares = metrics.probabilities(logits)
        loss = np.full(len(ids), np.nan, dtype=np.float32)
        known = labels >= 0
        loss[known] = metrics.cross_entropy(logits[known], labels[known])
        return cls(ids, logits.argmax(axis=1).astype(np.int16), shares.max(axis=1), loss)


def save_predictions(
    folder: Path, number: int, predictions: Predictions, publishing: Publishing = nullcontext
) -> None:
    """Write round `number`'s predictions into the run's `folder`; see `vecaf.files.replacing`."""
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
    """Round `number`'s predictions; None where it left none (not done yet, or an older run).

    The last round's cover every sample; an earlier one's at least the validation and test images.
    """
    try:
        with np.load(_path(folder, number), allow_pickle=False) as file:
            names = ("ids", "predicted", "confidence", "loss")
            return Predictions(*(file[name] for name in names))
    except FileNotFoundError:
        return None


def _path(folder: Path, number: int) -> Path:
    return folder / f"predictions-{number}.npz"
