"""A finished round's test images: what each is, and what the round's model took it for."""

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
class Tested:
    """One entry a labelled test image (n,), in id order; see `Predictions` for the units."""

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float32]
    loss: NDArray[np.float32]

    @property
    def right(self) -> NDArray[np.bool_]:
        return np.asarray(self.predicted == self.labels)

    def cell(self, true: int, predicted: int) -> NDArray[np.int64]:
        """Places of the images of one cell of the confusion matrix, the surest first."""
        found = np.flatnonzero((self.labels == true) & (self.predicted == predicted))
        return found[np.argsort(-self.confidence[found], kind="stable")]

    def worst(self, count: int) -> NDArray[np.int64]:
        """Places of the mistakes with the highest loss, the highest first."""
        return self._mistakes(self.loss, count)

    def surest_mistakes(self, count: int) -> NDArray[np.int64]:
        """Places of the mistakes with the highest confidence, the highest first."""
        return self._mistakes(self.confidence, count)

    def _mistakes(self, by: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-by[wrong], kind="stable")[:count]]


def tested(session: Session, run: Run, folder: Path, number: int) -> Tested | None:
    """Round `number`'s test images by the labels that the run went by; None where it kept none.

    `run` has been through the gate; `folder` is its own.
    """
    said = load_predictions(folder, number)
    if said is None:
        return None
    columns = read_columns(session, run.owner_id, run.dataset_id)
    begun = snapshot_labels(folder)
    fits = begun is not None and len(begun) == len(columns)
    labels = begun if begun is not None and fits else columns.labels.astype(np.int64)
    test = (columns.splits == SPLITS.index(TEST)) & (labels >= 0)
    return match(columns.ids[test], labels[test], said)


def match(ids: NDArray[np.int64], labels: NDArray[np.int64], said: Predictions) -> Tested:
    """The predictions on the images `ids` (n,), ascending, of which `labels` (n,) are known."""
    _, here, there = np.intersect1d(ids, said.ids, assume_unique=True, return_indices=True)
    return Tested(
        ids[here],
        labels[here],
        said.predicted[there].astype(np.int64),
        said.confidence[there],
        said.loss[there],
    )
